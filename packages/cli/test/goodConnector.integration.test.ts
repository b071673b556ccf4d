import { NodeServices } from "@effect/platform-node"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Subject from "../src/internal/Subject.ts"
import * as folder from "../src/plugin/folder.ts"
import { reportOf } from "./auditing.ts"
import { Good, goodConnector } from "./fixtures/goodConnector.ts"

/** As `ferrule plugin` makes it, beside a project that has pinned what it installs. */
const project = [
  ...folder
    .files(
      {
        name: "rooms",
        server: "rooms",
        displayName: "Rooms",
        version: "1.0.0",
        description: "The rooms of the house.",
        author: { name: "Acme" },
        license: "MIT",
        licenseText: "MIT License",
        privacyPolicyUrl: "https://acme.example/privacy",
        supportUrl: undefined,
        documentationUrl: undefined,
        repository: undefined
      },
      Subject.ofConnector(Good, {}),
      { type: "http", url: "https://rooms.acme.example/mcp", userConfig: {} },
      { marketplace: "acme-tools", destructive: "ask", icon: new Uint8Array(32) }
    )
    .map(({ content, path }) => [`plugin/${path}`, content] as const),
  [
    "package-lock.json",
    JSON.stringify({
      lockfileVersion: 3,
      packages: { "node_modules/@modelcontextprotocol/sdk": { version: "1.26.0", integrity: "sha512-AAAA" } }
    })
  ] as const
]

it.live(
  "a connector that does everything right passes every check there is",
  () =>
    Effect.gen(function* () {
      const report = yield* reportOf(goodConnector, {
        file: "fixtures/goodConnector.ts",
        project,
        approved: (subject) => subject
      })
      assert.deepStrictEqual(
        report.checks.filter(({ status }) => status !== "passed").map(({ id, note, status }) => [id, status, note]),
        []
      )
      assert.deepStrictEqual(
        report.checks.flatMap(({ findings, id }) => findings.map(({ accepted, subject }) => [id, subject, accepted])),
        [["A18", "book_room", "No client of the house writes in strict mode."]]
      )
      assert.deepStrictEqual(
        report.questions.map(({ answer }) => answer),
        ["yes", "yes", "yes", "yes"]
      )
    }).pipe(Effect.provide(NodeServices.layer)),
  300_000
)
