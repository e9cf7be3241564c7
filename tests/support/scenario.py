"""A small scenario in which an arena silently removes a model."""

BATTLES, REMOVED_AT = 6_000, 3_000

SMALL_REMOVAL = f"""
name = "small-removal"
about = "One model of twenty leaves the sampler while the registry says active"
battles = {BATTLES}

[[models]]
name = "model"
count = 20
provider = "lab"
providers = 10
license = ["proprietary", "open_weight"]
strength = {{ mean = 1000, sd = 80 }}

[[events]]
kind = "remove"
models = "model-07"
at = {REMOVED_AT}
"""
