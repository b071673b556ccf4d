import { assert, beforeAll, describe, it } from "@effect/vitest"
import { playAll, type Row } from "../../../benchmarks/peers/Run.ts"
import { answered } from "../../../benchmarks/peers/Table.ts"

/** By case and subject: how many entries the order book has, what the calls were answered with, and whether that is right. */
const expected: Record<string, Record<string, string>> = {
  "error after the effect": {
    "Ferrule, reconcile": "1: failed, 2 × #1: right",
    "Ferrule, unknown": "1: failed, 2 × unknown: right",
    "Powertools 2.35.0": "3: 3 × failed: WRONG",
    "node-idempotency 1.0.11": "1: 3 × failed: right",
    "express-idempotency 1.0.6": "3: 3 × failed: WRONG"
  },
  "stale holder fails": {
    "Ferrule, reconcile": "1: failed, 2 × #1: right",
    "Ferrule, unknown": "0: failed, 2 × unknown: right",
    "Powertools 2.35.0": "2: failed, #1, #2: WRONG",
    "node-idempotency 1.0.11": "0: failed, running, failed: right",
    "express-idempotency 1.0.6": "1: failed, running, #1: right"
  },
  "stale holder succeeds": {
    "Ferrule, reconcile": "1: 3 × #1: right",
    "Ferrule, unknown": "1: #1, unknown, #1: right",
    "Powertools 2.35.0": "2: #1, #2, #1: WRONG",
    "node-idempotency 1.0.11": "1: #1, running, #1: right",
    "express-idempotency 1.0.6": "1: #1, running, #1: right"
  },
  "stale holder writes": {
    "Ferrule, reconcile": "2: 3 × #1: WRONG",
    "Ferrule, unknown": "1: #1, unknown, #1: right",
    "Powertools 2.35.0": "2: #2, #1, #2: WRONG",
    "node-idempotency 1.0.11": "1: #1, running, #1: right",
    "express-idempotency 1.0.6": "1: #1, running, #1: right"
  },
  "ten at once": {
    "Ferrule, reconcile": "1: 10 × #1: right",
    "Ferrule, unknown": "1: 10 × #1: right",
    "Powertools 2.35.0": "1: #1, 9 × running: right",
    "node-idempotency 1.0.11": "1: #1, 9 × running: right",
    "express-idempotency 1.0.6": "1: #1, 9 × failed: WRONG"
  },
  "after the retention": {
    "Ferrule, reconcile": "2: #1, 2 × #2: right",
    "Ferrule, unknown": "2: #1, 2 × #2: right",
    "Powertools 2.35.0": "2: #1, #2, running: right",
    "node-idempotency 1.0.11": "3: #1, #2, #3: WRONG",
    "express-idempotency 1.0.6": "n/a: it keeps a record for ever"
  },
  "after a lapse": {
    "Ferrule, reconcile": "1: 3 × #1: right",
    "Ferrule, unknown": "0: 3 × unknown: right",
    "Powertools 2.35.0": "1: #1, running, #1: right",
    "node-idempotency 1.0.11": "0: 3 × running: WRONG",
    "express-idempotency 1.0.6": "0: 3 × running: WRONG"
  },
  "another tenant": {
    "Ferrule, reconcile": "2: #1, #2, #1: right",
    "Ferrule, unknown": "2: #1, #2, #1: right",
    "Powertools 2.35.0": "1: 3 × #1: WRONG",
    "node-idempotency 1.0.11": "1: 3 × #1: WRONG",
    "express-idempotency 1.0.6": "1: 3 × #1: WRONG"
  },
  "reordered JSON": {
    "Ferrule, reconcile": "1: 2 × #1: right",
    "Ferrule, unknown": "1: 2 × #1: right",
    "Powertools 2.35.0": "1: 2 × #1: right",
    "node-idempotency 1.0.11": "1: #1, conflict: WRONG",
    "express-idempotency 1.0.6": "1: 2 × #1: right"
  },
  "reordered, case": {
    "Ferrule, reconcile": "1: 2 × #1: right",
    "Ferrule, unknown": "1: 2 × #1: right",
    "Powertools 2.35.0": "2: #1, #2: WRONG",
    "node-idempotency 1.0.11": "1: #1, conflict: WRONG",
    "express-idempotency 1.0.6": "1: 2 × #1: right"
  },
  "other order in flight": {
    "Ferrule, reconcile": "1: #1, conflict: right",
    "Ferrule, unknown": "1: #1, conflict: right",
    "Powertools 2.35.0": "1: #1, conflict: right",
    "node-idempotency 1.0.11": "1: #1, running: WRONG",
    "express-idempotency 1.0.6": "1: #1, conflict: right"
  },
  "crash in the middle": {
    "Ferrule, reconcile": "1: 2 × #1: right",
    "Ferrule, unknown": "1: 2 × unknown: right",
    "Powertools 2.35.0": "2: 2 × #2: WRONG",
    "node-idempotency 1.0.11": "1: 2 × running: WRONG",
    "express-idempotency 1.0.6": "1: 2 × running: WRONG"
  },
  "identical repeat": {
    "Ferrule, reconcile": "1: 2 × #1: right",
    "Ferrule, unknown": "1: 2 × #1: right",
    "Powertools 2.35.0": "1: #1, conflict: WRONG",
    "node-idempotency 1.0.11": "1: 2 × #1: right",
    "express-idempotency 1.0.6": "1: 2 × #1: right"
  }
}

const said = ({ outcome }: Row): string =>
  outcome.verdict === "n/a"
    ? `n/a: ${outcome.why}`
    : `${outcome.entries}: ${answered(outcome.answers)}: ${outcome.verdict}`

describe("Ferrule and its peers in the same cases:", () => {
  let rows: ReadonlyArray<Row>
  beforeAll(async () => {
    rows = await playAll()
  })

  it("each does in every case what is written down here, so that an upgrade that mends one is noticed", () => {
    const found: Record<string, Record<string, string>> = {}
    for (const row of rows) found[row.name] = { ...found[row.name], [row.title]: said(row) }
    assert.deepStrictEqual(found, expected)
  })

  it("a write of which nothing can be found out is right in every case", () => {
    const wrong = rows.filter(({ outcome, title }) => title === "Ferrule, unknown" && outcome.verdict !== "right")
    assert.deepStrictEqual(wrong, [])
  })

  it("a write that can be searched for is right wherever the first holder does not write after its lease", () => {
    const wrong = rows.filter(({ outcome, title }) => title === "Ferrule, reconcile" && outcome.verdict !== "right")
    assert.deepStrictEqual(
      wrong.map(({ name }) => name),
      ["stale holder writes"]
    )
  })
})
