# SPDX-License-Identifier: Apache-2.0
"""What allocation_failures.py runs: calls of every op, large enough for several threads.

A case has
    start()                brings what the call depends on into a known state
    call()                 the call in which an allocation may fail
    check(result)          what must hold of the result of a call that did not fail
    check_after(failed)    what must hold after a call, whether it failed or not
"""

import functools
import tempfile

import exact_cases as ec
import loss_cases as lc
import numpy as np
import optimizer_reference as ref
import ragged_cases as rc
import row_cases as rows
import sampled_cases as sc
import sampler_cases as spc
import tensorflow as tf
from internals import ops

import tf_candsamp as tfcs

RANGE = 40_000
NUM_SAMPLED = 15_000
TRUE_CLASSES = np.arange(400).reshape(200, 2)
WEIGHTS = 1.0 + np.arange(RANGE)  # those of sampler_cases.sampler
ROW_TABLE = (3000, 33)


class Call:
    """A function that depends on nothing but its arguments."""

    first_failure = 1

    def __init__(self, function):
        self._function = function
        self._expected = arrays(function())

    def start(self):
        pass

    def call(self):
        return self._function()

    def check(self, result):
        assert_same(arrays(result), self._expected)

    def check_after(self, failed):
        if failed:
            self.check(self.call())


class NewKernel(Call):
    """A function of a seed, of which TensorFlow makes a kernel.

    The first allocation is the kernel itself: TensorFlow makes it, and takes no status for it.
    """

    first_failure = 2

    def __init__(self, function):
        self._seed = 0
        super().__init__(functools.partial(self._with_new_seed, function))

    def _with_new_seed(self, function):
        self._seed += 1
        sample = function(self._seed)
        return sample.true_expected_count  # the seed makes no difference to it


class Stream:
    """A kernel with a random stream, which goes one step on in each call, failed or not."""

    first_failure = 1

    def __init__(self, kind, **options):
        arguments = {
            "true_classes": TRUE_CLASSES,
            "num_true": 2,
            "num_sampled": NUM_SAMPLED,
            "range_max": RANGE,
            **options,
        }
        fixed = kind == "fixed_unigram"
        self._step = functools.partial(
            getattr(ops, f"candsamp_{kind}_candidate_sampler"),
            **arguments | ({"unigrams": WEIGHTS.tolist()} if fixed else {}),
            seed=11,
            seed2=12,
        )
        self._at = functools.partial(
            getattr(ops, f"candsamp_stateless_{kind}_sample"),
            **arguments | ({"weights": tf.constant(WEIGHTS, tf.float32)} if fixed else {}),
        )
        self._steps = 0

    def start(self):
        pass

    def call(self):
        self._steps += 1
        return self._step()

    def check(self, result):
        counter = 512 * NUM_SAMPLED * (self._steps - 1)
        assert_same(arrays(result), arrays(self._at(stream=[counter, 12, 11])))

    def check_after(self, failed):
        if failed:
            self.check(self.call())


class Object:
    """A sampler object: after any call it goes on as another does that has the same variables."""

    first_failure = 1

    def __init__(self, kind, use, counted=(), range_max=RANGE):
        """`counted`: the classes that use(sampler) counts."""
        self._sampler, self._other = (spc.sampler(kind, range_max, seed=1) for _ in range(2))
        self._use = use
        self._counts = np.bincount(np.ravel(counted).astype(int), minlength=range_max)
        self._before = [variable.numpy() for variable in self._sampler.variables]
        self._expected = arrays(use(self._other))

    def start(self):
        self.assign()
        self._sampler.probability([0])  # what is derived from the variables is there

    def assign(self):
        for variable, value in zip(self._sampler.variables, self._before, strict=True):
            variable.assign(value)

    def call(self):
        return self._use(self._sampler)

    def check(self, result):
        assert_same(arrays(result), self._expected)

    def check_after(self, failed):
        if hasattr(self._sampler, "counts"):
            counts = self._sampler.counts.numpy()
            np.testing.assert_array_equal(counts, 0 if failed else self._counts)
        for mine, its in zip(self._sampler.variables, self._other.variables, strict=True):
            its.assign(mine)
        assert_same(*(arrays(self._draw(sampler)) for sampler in (self._sampler, self._other)))

    @staticmethod
    def _draw(sampler):
        if hasattr(sampler, "counts"):
            sampler.update([7, 7, 8])
        return sampler.sample(50, [[7]]), sampler.sample_ragged([5, 0, 3])


class Assigned(Object):
    """The same of variables that have just been assigned."""

    def start(self):
        self.assign()


class LookedAt(Object):
    """The same of variables that somebody has gathered from, twice, with a draw in between."""

    def start(self):
        super().start()
        self._look()
        self._sampler.probability([0])
        self._look()

    def _look(self):
        for variable in self._sampler.variables:
            tf.gather(variable, [0])


class LookedAtAndAssigned(LookedAt):
    """The same of variables that were assigned after that."""

    def start(self):
        super().start()
        self.assign()


class BesideReader(Object):
    """The same while somebody holds the variables' values, as one who writes a checkpoint does."""

    def start(self):
        super().start()
        self._held = [variable.read_value() for variable in self._sampler.variables]


def arrays(result):
    """The tensors of a result as arrays; slices and ragged tensors are several."""
    flat = tf.nest.flatten(result, expand_composites=True)
    return [tensor.numpy() for tensor in flat if tensor is not None and tensor.dtype != tf.resource]


def assert_same(got, expected):
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def loss(kind, case, types=(tf.float32, tf.float32), table=tf.Variable, shards=1, eager=False):
    """The case of a loss, or of logits, and its gradients."""
    input_type, weight_type = types

    def shards_of(values):
        values = tf.constant(values, weight_type)
        in_turn = getattr(case, "partition_strategy", "div") == "mod"
        parts = [values[k::shards] for k in range(shards)] if in_turn else tf.split(values, shards)
        return [table(part) for part in parts]

    weights = shards_of(case.weights)
    biases = None if case.biases is None else shards_of(case.biases)
    inputs = tf.constant(case.inputs, input_type)
    grad = tf.constant(case.grad(kind), lc.value_type(kind, input_type))
    sources = [*weights, *(biases or []), inputs]

    def step():
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(sources)
            value = case.apply(kind, weights, biases, inputs)
        return value, tape.gradient(value, sources, grad)

    return Call(step if eager else tf.function(step, autograph=False))


def loss_cases():
    def sampled(**options):
        sizes = {"rows": 150, "classes": 2000, "depth": 16, "num_sampled": 420}
        return sc.random_case(**sizes | options)

    def ragged(**options):
        sizes = {"rows": 30, "classes": 1000, "depth": 16, "candidates": (20, 700)}
        return rc.random_case(**sizes | options)

    cases = {}
    for family, kinds, make in (("sampled", lc.LOSSES, sampled), ("ragged", rc.KINDS, ragged)):
        for kind in kinds:
            # NCE is the same code as softmax but for a formula.
            for types in lc.TYPE_PAIRS if kind != "nce" else lc.TYPE_PAIRS[:1]:
                name = f"{family} {kind}, {types[0].name} and {types[1].name}"
                cases[name] = functools.partial(loss, kind, make(), types)
            cases[f"{family} {kind}, tensors"] = functools.partial(
                loss, kind, make(), table=tf.identity
            )
            if kind == "nce":
                continue
            for name, options in {
                "eager": {"case": make(), "eager": True},
                "shards": {"case": make(), "shards": 2},
                "no biases": {"case": make(biases=False)},
            }.items():
                cases[f"{family} {kind}, {name}"] = functools.partial(loss, kind, **options)
    scores = {"normalize": True, "temperature": 0.5, "logit_softcap": 5.0}
    for kind in rc.KINDS:
        cases[f"ragged {kind}, options"] = functools.partial(loss, kind, ragged(options=scores))
    for kind in lc.LOSSES:
        case = sampled(options=scores, classes=500, unique=False)
        cases[f"sampled {kind}, options"] = functools.partial(loss, kind, case)
    corrected = sampled(options={"correction": "corrected_log_q"}, num_true=1)
    cases["sampled softmax, corrected"] = functools.partial(loss, "softmax", corrected)
    in_half = {"types": (tf.bfloat16, tf.float32)}
    for name, options in {
        "recomputed": {"case": sampled(recompute=True)},
        "recomputed in bfloat16": {"case": sampled(recompute=True), **in_half},
        "repeated candidates": {"case": sampled(classes=500, unique=False)},
        "shards in turn": {"case": sampled(partition_strategy="mod"), "shards": 2},
    }.items():
        cases[f"sampled softmax, {name}"] = functools.partial(loss, "softmax", **options)
    return cases


def exact_cases():
    """The full softmax, ranks and the best classes."""
    sizes = {"rows": 150, "classes": 2000, "depth": 16}
    case = ec.random_case(**sizes)
    cases = {}
    for name, options in {
        "float32": {},
        "eager": {"eager": True},
        "shards": {"shards": 2},
        "bfloat16": {"types": (tf.bfloat16, tf.bfloat16)},
    }.items():
        cases[f"full softmax, {name}"] = functools.partial(loss, "full_softmax", case, **options)
    normalized = ec.random_case(**sizes, **ec.OPTIONS["all"])
    cases["full softmax, all options"] = functools.partial(loss, "full_softmax", normalized)
    exclude = tf.ragged.constant([[k, 7] for k in range(150)], tf.int64)
    for name, table in {"variable": tf.Variable, "tensor": tf.constant}.items():
        tables = table(case.weights), table(case.biases)
        inputs = tf.constant(case.inputs)
        cases[f"label_rank, {name}"] = functools.partial(
            Call, functools.partial(tfcs.label_rank, *tables, case.labels, inputs, exclude=exclude)
        )
        cases[f"top_k, {name}"] = functools.partial(
            Call, functools.partial(tfcs.top_k, *tables, inputs, 300, exclude=exclude)
        )
    return cases


@functools.cache
def vocabulary():
    file = tempfile.NamedTemporaryFile("w", suffix=".txt")  # noqa: SIM115  Kept until the end.
    file.writelines(f"word,{weight}\n" for weight in WEIGHTS)
    file.flush()
    return file


def fixed_unigram(seed, **weights):
    return tfcs.fixed_unigram_candidate_sampler(
        TRUE_CLASSES, 2, 50, False, RANGE, seed=seed, **weights
    )


def function_cases():
    cases = {}
    for kind in ("uniform", "log_uniform", "fixed_unigram"):
        for options in ({"unique": True, "exact": True}, {"unique": False, "exact": False}):
            name = f"functional {kind}, {'' if options['unique'] else 'not '}unique"
            cases[name] = functools.partial(Stream, kind, **options)
    calls = {
        "all_candidate_sampler": lambda: tfcs.all_candidate_sampler(
            TRUE_CLASSES, 2, NUM_SAMPLED, True, seed=1
        ),
        "compute_accidental_hits": lambda: tfcs.compute_accidental_hits(
            TRUE_CLASSES, np.arange(9000) % 900, 2
        ),
        "stateless fixed_unigram of another tensor": (
            lambda: tfcs.stateless_fixed_unigram_candidate_sampler(
                TRUE_CLASSES, 2, 50, True, RANGE, unigrams=tf.range(1.0, RANGE + 1), seed=[1, 2]
            )
        ),
        "unigram_weights": lambda: ops.candsamp_unigram_weights(WEIGHTS, 0.5, 0, 2, 1),
        "read_vocabulary": lambda: ops.candsamp_read_vocabulary(vocabulary().name),
        "reserve_stream": lambda: tf.shape(ops.candsamp_reserve_stream(5, seed=1, seed2=2)),
        "not_twice_differentiable": lambda: ops.candsamp_not_twice_differentiable(
            [1.0], [[0.0]], op_name="an op"
        ),
    }
    for name, call in calls.items():
        cases[name] = functools.partial(Call, call)
    cases["functional fixed_unigram, new kernel"] = lambda: NewKernel(
        lambda seed: fixed_unigram(seed, unigrams=WEIGHTS)
    )
    cases["functional fixed_unigram, new kernel of a file"] = lambda: NewKernel(
        lambda seed: fixed_unigram(seed, vocab_file=vocabulary().name)
    )
    return cases


def object_cases():
    few, many = np.arange(50), np.repeat(np.arange(RANGE), 3)
    some_rows = TRUE_CLASSES[:24]
    # use(sampler), the classes that it counts, and the range if not RANGE.
    uses = {
        "sample": (lambda s: s.sample(NUM_SAMPLED, TRUE_CLASSES), TRUE_CLASSES),
        "sample with exact counts": (
            lambda s: s.sample(20, few[None], expected_count="exact"),
            few,
        ),
        "sample most classes": (lambda s: s.sample(9_990, few[None]), few, 10_000),
        "sample_ragged": (
            lambda s: s.sample_ragged([0, 20, 900] * 8, some_rows, exclude_true=True),
            some_rows,
        ),
        "probability": (lambda s: s.probability(np.arange(RANGE)), ()),
        "update": (lambda s: s.update(few), few),
        "update that outgrows the table": (lambda s: s.update(many), many),
    }
    cases = {}
    for kind in spc.OBJECTS:
        for name, use in uses.items():
            if name.startswith("update") and kind != "learned_unigram":
                continue
            if name == "sample most classes" and kind != "log_uniform":
                continue  # rejection finds them, or goes on as there but slower
            cases[f"{kind}: {name}"] = functools.partial(Object, kind, *use)
        if kind.endswith("unigram"):
            for name, case in {
                "just assigned": Assigned,
                "looked at": LookedAt,
                "looked at and assigned": LookedAtAndAssigned,
            }.items():
                cases[f"{kind}: sample from variables {name}"] = functools.partial(
                    case, kind, *uses["sample"]
                )
    for name in ("sample", "update"):
        cases[f"learned_unigram: {name} beside a reader"] = functools.partial(
            BesideReader, "learned_unigram", *uses[name]
        )
    return cases


class Step:
    """A step that changes variables: made whole, or not at all. A reader holds the old values."""

    first_failure = 1

    def __init__(self, variables, step):
        self._variables, self._step = variables, step
        self._before = [variable.numpy() for variable in variables]
        self.start()
        self.call()
        self._after = [variable.numpy() for variable in variables]

    def start(self):
        for variable, value in zip(self._variables, self._before, strict=True):
            variable.assign(value)
        self._held = [variable.read_value() for variable in self._variables]

    def call(self):
        self._step()

    def check(self, result):
        pass

    def check_after(self, failed):
        assert_same(arrays(self._held), self._before)
        found = [variable.numpy() for variable in self._variables]
        assert_same(found, self._before if failed else self._after)


def row_update(kind):
    """A step of an optimizer. Rows repeat, and one of them fills several segments."""
    made = rows.variables(kind, rows.random_table(shape=ROW_TABLE))
    gradient = rows.random_slices(1, count=4000, shape=ROW_TABLE)
    often = tf.where(tf.range(4000) % 3 == 0, tf.constant(9, tf.int64), gradient.indices)
    gradient = tf.IndexedSlices(gradient.values, often)
    step = tf.constant(1, tf.int64)
    return Step([*made.values()], lambda: rows.apply(kind, made, gradient, 0.1, step))


def row_cases():
    gradient = rows.random_slices(1, count=4000, shape=ROW_TABLE)
    cases = {f"row update: {kind}": functools.partial(row_update, kind) for kind in ref.KINDS}
    cases["sum_repeated_rows"] = lambda: Call(lambda: tfcs.sum_repeated_rows(gradient).values)
    return cases


def halving():
    sampler = spc.sampler("learned_unigram", RANGE, seed=1)
    sampler.update(np.repeat(np.arange(RANGE), 3))
    return Step([sampler.counts], sampler.halve)


def counted_step():
    steps = tf.Variable(7, dtype=tf.int64)
    return Step([steps], lambda: ops.candsamp_count_step(steps.handle))


def estimator():
    made = tfcs.FrequencyEstimator(1000)
    made.update(np.arange(5000) % 700)
    return made


def estimator_update():
    made = estimator()
    return Step(made.variables, lambda: made.update(np.arange(3000) % 900))


def find_rows():
    ids = tf.range(3000, dtype=tf.int64) % 900
    attributes = {"names": ["labels"], "table": "weights", "shards": 2}
    return Call(lambda: ops.candsamp_find_rows([ids], [500, 500], **attributes))


def counting_cases():
    return {
        "halve": halving,
        "count_step": counted_step,
        "frequency update": estimator_update,
        "find_rows": find_rows,
        "frequency gaps": lambda: Call(functools.partial(estimator().log_q, np.arange(5000))),
    }


CASES = (
    loss_cases()
    | exact_cases()
    | function_cases()
    | object_cases()
    | row_cases()
    | counting_cases()
)
