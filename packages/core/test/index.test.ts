import * as Core from "@ferrule/core"
import * as CircuitBreaker from "@ferrule/core/CircuitBreaker"
import * as EncryptedIdempotencyStore from "@ferrule/core/EncryptedIdempotencyStore"
import * as FileCredential from "@ferrule/core/FileCredential"
import * as JsonLinesAuditTrail from "@ferrule/core/JsonLinesAuditTrail"
import * as OAuthCredential from "@ferrule/core/OAuthCredential"
import * as RedisIdempotencyStore from "@ferrule/core/RedisIdempotencyStore"
import * as SqlAuditTrail from "@ferrule/core/SqlAuditTrail"
import * as SqlIdempotencyStore from "@ferrule/core/SqlIdempotencyStore"
import * as SqliteIdempotencyStore from "@ferrule/core/SqliteIdempotencyStore"
import * as Testing from "@ferrule/core/testing"
import * as UpstreamClient from "@ferrule/core/UpstreamClient"
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"

describe("@ferrule/core", () => {
  it("exports these names", () => {
    assert.deepStrictEqual(Object.keys(Core).sort(), [
      "AccessMatrix",
      "AuditSink",
      "AuditTrail",
      "AuthorizationError",
      "CanonicalJson",
      "Connector",
      "ConnectorError",
      "Credential",
      "DefinitionError",
      "IdempotencyKey",
      "IdempotencyStore",
      "Internal",
      "Issue",
      "Operation",
      "OutcomeUnknown",
      "Pipeline",
      "Policy",
      "Principal",
      "PrincipalData",
      "Refusal",
      "ResultUnavailable",
      "Retry",
      "Scrubber",
      "StoreError",
      "Tool",
      "ToolSchema",
      "TransientError",
      "Upstream",
      "ValidationError"
    ])
    assert.deepStrictEqual(Object.keys(SqliteIdempotencyStore).sort(), ["layer", "make"])
    assert.deepStrictEqual(Object.keys(SqlIdempotencyStore).sort(), ["layer", "layerMigrations", "make"])
    assert.deepStrictEqual(Object.keys(RedisIdempotencyStore).sort(), ["layer", "make"])
    assert.deepStrictEqual(Object.keys(EncryptedIdempotencyStore).sort(), ["layer", "layerConfig", "make"])
    assert.deepStrictEqual(Object.keys(CircuitBreaker).sort(), ["make"])
    assert.deepStrictEqual(Object.keys(JsonLinesAuditTrail).sort(), ["layer", "make"])
    assert.deepStrictEqual(Object.keys(SqlAuditTrail).sort(), ["layer", "layerMigrations", "make"])
    const credential = ["Credential", "layer", "layerConfig", "layerStatic", "make"]
    assert.deepStrictEqual(Object.keys(Core.Credential).sort(), credential)
    assert.deepStrictEqual(Object.keys(FileCredential).sort(), ["layer", "make"])
    const oauth = ["layerClientCredentials", "layerTokenExchange"]
    assert.deepStrictEqual(Object.keys(OAuthCredential).sort(), oauth)
    assert.deepStrictEqual(Object.keys(UpstreamClient).sort(), ["make", "withIdempotencyKey"])
    assert.deepStrictEqual(Object.keys(Testing).sort(), ["IdempotencyStoreContract", "TestClient"])
  })

  it("lets a handler fail with these classes", () => {
    const tags = Core.ConnectorError.members.map(({ identifier }) => identifier)
    assert.deepStrictEqual(tags, [
      "@ferrule/core/ValidationError",
      "@ferrule/core/AuthorizationError",
      "@ferrule/core/TransientError"
    ])
  })

  it("writes its errors as this JSON", () => {
    const encode = Schema.encodeUnknownSync(Schema.toCodecJson(Core.Refusal))
    assert.deepStrictEqual(encode(Core.ValidationError.at("amount", "must be at most 9", "1 to 9")), {
      _tag: "ValidationError",
      issues: [{ path: "amount", message: "must be at most 9", expected: "1 to 9" }]
    })
    assert.deepStrictEqual(encode(new Core.AuthorizationError({ message: "No.", roles: ["admin"] })), {
      _tag: "AuthorizationError",
      message: "No.",
      roles: ["admin"],
      scopes: []
    })
    assert.deepStrictEqual(encode(new Core.TransientError({ message: "Later" })), {
      _tag: "TransientError",
      message: "Later",
      applied: "unknown"
    })
    assert.deepStrictEqual(encode(new Core.OutcomeUnknown({ checkWith: "look" })), {
      _tag: "OutcomeUnknown",
      checkWith: "look"
    })
    assert.deepStrictEqual(encode(new Core.ResultUnavailable({ reason: "unreadable", doneAt: 1 })), {
      _tag: "ResultUnavailable",
      reason: "unreadable",
      doneAt: 1
    })
    assert.deepStrictEqual(encode(new Core.Internal({ correlationId: "c" })), { _tag: "Internal", correlationId: "c" })
  })

  it("keeps its pipeline and its internals to itself", async () => {
    for (const path of ["@ferrule/core/pipeline/3_idempotency", "@ferrule/core/internal/sha256"]) {
      const code = await import(/* @vite-ignore */ path).then(
        () => "imported",
        (error: { readonly code?: string }) => error.code
      )
      assert.notStrictEqual(code, "imported")
    }
  })
})
