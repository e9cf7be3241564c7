"""What all HTTP services share: the shell of an application, its OpenAPI document, bearer keys, errors, and serving."""
