"""Render the Helm chart and validate it against the Kubernetes schemas. Run by the Python of `ensure-set checkers`.

Reads the values as JSON from standard input; prints lint's output, the documents and their errors.
"""

import json
import sys

import helm_python
import kubernetes_validate
import yaml
from helm_python.chart import Chart, lint

OPERATORS = ("kafka.strimzi.io", "keda.sh", "monitoring.coreos.com")
"""API groups whose schemas are not part of Kubernetes."""


def main(chart: str, release: str) -> dict[str, object]:
    """Lint, render and validate the chart; return the results."""
    values = json.load(sys.stdin)
    said = lint(chart, values, strict=True)
    try:
        rendered = Chart.load(chart).render(values, name=release, namespace="arenas")
    except helm_python.HelmError as error:
        return {"lint": said, "refused": str(error)}
    documents = [
        document
        for path, text in rendered.items()
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]
    faults = []
    for document in documents:
        if document["apiVersion"].split("/")[0] in OPERATORS:
            continue
        try:
            kubernetes_validate.validate(document, "1.31", strict=True)
        except Exception as error:  # noqa: BLE001 -- every error is reported
            faults.append(f"{document['kind']} {document['metadata']['name']}: {error}")
    return {"lint": said, "documents": documents, "faults": faults}


print(json.dumps(main(*sys.argv[1:])))
