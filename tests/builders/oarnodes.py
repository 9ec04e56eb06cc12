"""The output of ``oarnodes -J``, made of resources."""

import json


def resource(number, name, **properties):
    return {
        "resource_id": number, "network_address": name, "host": name, "type": "default", "state": "Alive", **properties,
    }  # fmt: skip


def oarnodes(*resources):
    return json.dumps({str(one["resource_id"]): one for one in resources})
