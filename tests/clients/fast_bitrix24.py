"""fast_bitrix24: whole objects by parallel batches, single calls, hand-made chains, writes in batches."""

import json
import sys
from urllib.parse import quote

from fast_bitrix24 import Bitrix

webhook, ends = sys.argv[1:]
portal = Bitrix(webhook, verbose=False)
kinds = ["company", "contact", "deal"]
said = {"listed": {"get_all": {}, "chain": {}}, "counted": {"total": {}, "get_all": {}}, "added": {}, "updated": {}, "least": 27}

for kind in kinds:
    rows = portal.get_all(f"crm.{kind}.list", params={"select": ["ID"]})
    said["listed"]["get_all"][kind] = [row["ID"] for row in rows]
    said["counted"]["get_all"][kind] = len({row["ID"] for row in rows})
    counted = portal.call(f"crm.{kind}.list", {"select": ["ID"], "order": {"ID": "ASC"}}, raw=True)
    said["counted"]["total"][kind] = counted["total"]

    # The fast recipe: each command goes on behind the last row of the one before, and a batch behind the last batch.
    ids, last = [], 0
    while True:
        commands = {}
        for at in range(50):
            after = last if at == 0 else f"$result[c{at - 1}][49][ID]"
            commands[f"c{at}"] = (
                f"crm.{kind}.list?start=-1&select[]=ID&order[ID]=ASC&{quote('filter[>ID]')}={quote(str(after), safe='$[]')}"
            )
        pages = portal.call("batch", {"halt": 1, "cmd": commands}, raw=True)["result"]["result"]
        pages = list(pages.values()) if isinstance(pages, dict) else pages
        end = False
        for page in pages:
            ids += [row["ID"] for row in page]
            end = end or len(page) < 50
            if end:
                break
        last = ids[-1]
        if end:
            break
    said["listed"]["chain"][kind] = ids

# Whole records, by id, as the lists named them.
some = said["listed"]["get_all"]["deal"][:120]
whole = portal.get_by_ID("crm.deal.get", some)
assert sorted(whole) == sorted(some) and all(whole[id]["ID"] == id for id in some)
fields = portal.get_all("crm.deal.fields")
assert fields["TITLE"]["type"] == "string", fields["TITLE"]
assert portal.call("crm.deal.get", {"id": some[0]})["ID"] == some[0]

titles = {"company": "TITLE", "contact": "LAST_NAME", "deal": "TITLE"}
for kind in kinds:
    wanted = [f"Added & {at} + {kind} = ü?" for at in range(120)]
    ids = portal.call(f"crm.{kind}.add", [{"fields": {titles[kind]: title}} for title in wanted])
    assert len(ids) == len(set(ids)) == 120, ids
    rows = portal.get_by_ID(f"crm.{kind}.get", [str(id) for id in ids])
    said["added"][kind] = {id: row[titles[kind]] for id, row in rows.items()}
    assert sorted(said["added"][kind].values()) == sorted(wanted)
    changed = said["listed"]["get_all"][kind][:60]
    answers = portal.call(
        f"crm.{kind}.update", [{"id": id, "fields": {titles[kind]: f"Changed {id}"}} for id in changed]
    )
    assert answers == [True] * 60 or answers is True or all(answers), answers
    said["updated"][kind] = {id: f"Changed {id}" for id in changed}

with open(ends, "w") as file:
    json.dump(said, file)
