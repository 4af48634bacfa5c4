# SPDX-License-Identifier: Apache-2.0
"""Checks each argument of the public functions, and brings it into the form that the ops take."""
