"""LiteLLM's config.yaml becomes a gaiarouter.yaml: `gaiarouter import litellm`.

source.py reads, deployments.py understands one entry of `model_list`, providers.py and routes.py lay the table out,
sections.py takes the settings beside it, report.py says what did not come along.
"""
