// @bitrix24/b24jssdk: lists by its fast recipes, classic and universal, counts, batches by chunk, writes.

import { writeFileSync } from 'node:fs'
import assert from 'node:assert/strict'
import { B24Hook } from '@bitrix24/b24jssdk'

const [webhook, ends] = process.argv.slice(2)
const portal = B24Hook.fromWebhookUrl(webhook)
const { call, callList, fetchList, batch, batchByChunk } = portal.actions.v2
const kinds = { company: 4, contact: 3, deal: 2 }
const said = {
  listed: { callList: {}, 'fetchList, universal': {} },
  counted: { total: {}, batch: {} }, added: {}, updated: {}, least: 24
}

/** The data of an answer that must be a success. */
function data(answer) {
  assert.ok(answer.isSuccess, answer.getErrorMessages().join('; '))
  return answer.getData()
}

for (const [kind, entityTypeId] of Object.entries(kinds)) {
  const rows = data(await callList.make({ method: `crm.${kind}.list`, params: { select: ['ID'] } }))
  said.listed.callList[kind] = rows.map((row) => row.ID)
  const items = []
  const pages = fetchList.make({
    method: 'crm.item.list', params: { entityTypeId, select: ['id'] }, idKey: 'id', customKeyForResult: 'items'
  })
  for await (const page of pages) items.push(...page)
  said.listed['fetchList, universal'][kind] = items.map((item) => item.id)
  const counted = await call.make({ method: `crm.${kind}.list`, params: { select: ['ID'] } })
  data(counted)
  said.counted.total[kind] = counted.getTotal()
}

// Counts of all in one batch, each command's own total.
const counts = await batch.make({
  calls: Object.fromEntries(Object.keys(kinds).map((kind) => [kind, { method: `crm.${kind}.list`, params: { select: ['ID'] } }])),
  options: { isHaltOnError: true, returnAjaxResult: true }
})
for (const [kind, answer] of Object.entries(data(counts))) said.counted.batch[kind] = answer.getTotal()

const titles = { company: ['TITLE', 'title'], contact: ['LAST_NAME', 'lastName'], deal: ['TITLE', 'title'] }
for (const [kind, entityTypeId] of Object.entries(kinds)) {
  const [code, name] = titles[kind]
  const wanted = Array.from({ length: 70 }, (_, at) => `Added & ${at} + ${kind} = ü?`)
  const ids = data(await batchByChunk.make({
    calls: wanted.map((title) => ({ method: `crm.${kind}.add`, params: { fields: { [code]: title } } })),
    options: { isHaltOnError: true }
  }))
  assert.equal(new Set(ids).size, 70)
  said.added[kind] = Object.fromEntries(ids.map((id, at) => [id, wanted[at]]))
  const { item } = data(await call.make({
    method: 'crm.item.add', params: { entityTypeId, fields: { [name]: `Item ${kind}` } }
  })).result
  assert.equal(item[name], `Item ${kind}`)
  said.added[kind][item.id] = `Item ${kind}`
  const changed = said.listed.callList[kind].slice(0, 60)
  const answers = data(await batchByChunk.make({
    calls: changed.map((id) => ({ method: `crm.${kind}.update`, params: { id, fields: { [code]: `Changed ${id}` } } })),
    options: { isHaltOnError: true }
  }))
  assert.deepEqual(new Set(answers), new Set([true]))
  said.updated[kind] = Object.fromEntries(changed.map((id) => [id, `Changed ${id}`]))
}

writeFileSync(ends, JSON.stringify(said))
