"""b24pysdk: lists by pages and by its fast recipe, classic and universal, batches of any length, typed wrappers."""

import json
import sys
from urllib.parse import urlsplit

from b24pysdk import BitrixWebhook, Client

webhook, ends = sys.argv[1:]
address = urlsplit(webhook)
_, user, secret = address.path.strip("/").split("/")
token = BitrixWebhook(domain=address.netloc, webhook_token=f"{user}/{secret}")
client = Client(token)
kinds = {"company": 4, "contact": 3, "deal": 2}
said = {
    "listed": {"list": {}, "fast": {}, "fast, downwards": {}, "fast, universal": {}}, "counted": {"total": {}, "universal": {}},
    "added": {}, "updated": {}, "least": 30,
}

assert client.profile().result["ADMIN"] is True
for kind, number in kinds.items():
    select = {"select": ["ID"]}
    listed = token.call_list(f"crm.{kind}.list", {**select, "order": {"ID": "ASC"}})["result"]
    said["listed"]["list"][kind] = [row["ID"] for row in listed]
    fast = token.call_list_fast(f"crm.{kind}.list", select)["result"]
    said["listed"]["fast"][kind] = [row["ID"] for row in fast]
    down = token.call_list_fast(f"crm.{kind}.list", select, descending=True)["result"]
    said["listed"]["fast, downwards"][kind] = [row["ID"] for row in down]
    items = token.call_list_fast("crm.item.list", {"entityTypeId": number, "select": ["id"]})["result"]
    said["listed"]["fast, universal"][kind] = [row["id"] for row in items]
    said["counted"]["total"][kind] = token.call_method(f"crm.{kind}.list", select)["total"]
    universal = token.call_method("crm.item.list", {"entityTypeId": number, "select": ["id"]})
    said["counted"]["universal"][kind] = universal["total"]

# The typed wrappers over the same calls.
first = said["listed"]["list"]["deal"][0]
assert client.crm.deal.get(bitrix_id=int(first)).result["ID"] == first
assert client.crm.deal.fields().result["TITLE"]["type"] == "string"

titles = {"company": ("TITLE", "title"), "contact": ("LAST_NAME", "lastName"), "deal": ("TITLE", "title")}
for kind, number in kinds.items():
    code, name = titles[kind]
    wanted = {f"n{at}": f"Added & {at} + {kind} = ü?" for at in range(70)}
    added = token.call_batches({
        key: (f"crm.{kind}.add", {"fields": {code: title}}) for key, title in wanted.items()
    })["result"]
    assert not added["result_error"], added["result_error"]
    ids = added["result"]
    said["added"][kind] = {str(ids[key]): title for key, title in wanted.items()}
    item = token.call_method("crm.item.add", {"entityTypeId": number, "fields": {name: f"Item {kind}"}})["result"]["item"]
    assert item[name] == f"Item {kind}", item
    said["added"][kind][str(item["id"])] = f"Item {kind}"
    changed = said["listed"]["list"][kind][:60]
    updated = token.call_batches([
        (f"crm.{kind}.update", {"id": id, "fields": {code: f"Changed {id}"}}) for id in changed
    ])["result"]
    assert not updated["result_error"], updated["result_error"]
    said["updated"][kind] = {id: f"Changed {id}" for id in changed}

with open(ends, "w") as file:
    json.dump(said, file)
