import { Clock, Effect, Fiber } from "effect"
import { decodeProtectedHeader } from "jose"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import { ask, type Stage } from "../demo/Stage.ts"
import { type Name, tokenLifetime } from "../demo/World.ts"

const calls = 200

/** The keys that sign and the connector's secret are replaced while three people work. */
export const rotation = Effect.fnUntraced(function* (stage: Stage) {
  const { ledger, provider } = stage
  Screen.note(
    `${calls} calls of three people, one every 20 ms. Meanwhile the provider publishes another signing key and signs with it, ` +
      `adam signs in anew, and the connector's secret is replaced. Tokens for the ledger live for ${tokenLifetime} s, so ` +
      "everybody's ends on the way."
  )
  const agents = { ...stage.agents }
  const names = Object.keys(agents) as ReadonlyArray<Name>
  const before = { entries: ledger.entries.length, exchanges: provider.exchanges.length, log: ledger.log.length }
  const began = yield* Clock.currentTimeMillis
  const secret = stage.newSecret()
  let atDrop = 0

  const steps: Readonly<Record<number, () => void>> = {
    20: provider.publishNextKey,
    30: () => provider.addSecret(secret),
    40: provider.signWithNextKey,
    60: () => stage.replaceSecret(secret),
    80: () => {
      provider.dropOldSecrets()
      atDrop = provider.exchanges.length
    }
  }

  const answered: Array<Fiber.Fiber<string | undefined>> = []
  let signIn: ReturnType<typeof stage.signIn> | undefined
  let posts = 0
  for (let n = 0; n < calls; n++) {
    steps[n]?.()
    if (n === 50) signIn = Fiber.join(yield* Effect.forkChild(stage.signIn("adam"), { startImmediately: true }))
    if (n === 120) agents.adam = yield* signIn!
    const name = names[n % names.length]!
    const args = { debit: "travel", credit: "cash", cents: 100 + n, reference: `BUS-${n + 1}`, memo: "Bus" }
    const isPost = name !== "olga" && n % 2 === 0
    if (isPost) posts++
    const call = isPost ? ask(agents[name], "post_entry", args) : ask(agents[name], "read_balance", { account: "bank" })
    const failure = Effect.match(call, {
      onSuccess: ({ refusal, texts }) => (refusal === undefined ? undefined : texts.join("\n")),
      onFailure: ({ message }) => message
    })
    answered.push(yield* Effect.forkChild(failure, { startImmediately: true }))
    yield* Effect.sleep("20 millis")
  }
  const failures = (yield* Effect.forEach(answered, Fiber.join)).filter((failure) => failure !== undefined)
  const took = (yield* Clock.currentTimeMillis) - began

  yield* check(failures.length === 0, `no call failed: one was told ${failures[0]}`)
  yield* prove(
    ledger.entries.length === before.entries + posts,
    `${calls} calls in ${(took / 1000).toFixed(1)} s, none failed; ${posts} documents posted are ${posts} entries`
  )

  const requests = ledger.log.slice(before.log)
  yield* check(
    requests.every(({ status }) => status < 300),
    "the ledger refused no request"
  )
  const [first, second] = [stage.agents.adam, agents.adam].map(({ token }) => decodeProtectedHeader(token).kid)
  yield* prove(
    first !== second && new Set(requests.map(({ keyId }) => keyId)).size === 2,
    "connector and ledger took tokens by both signing keys, and looked up the second when they first saw it"
  )

  // One that showed the old secret a moment too late was refused, and asked again with the next.
  const exchanges = provider.exchanges.slice(before.exchanges)
  yield* prove(
    names.every((name) => provider.exchanges.slice(atDrop).some(({ person }) => person === name)),
    "exchanges went on when the old secret was no longer taken: the connector reads it from a file, and was not restarted"
  )

  // A token is renewed after 70% of its life at the earliest, so nobody can have had more of them, with one on its way before.
  const most = 1 + Math.ceil(took / (tokenLifetime * 1000 * 0.7))
  const counts = names.map((name) => exchanges.filter(({ person }) => person === name).length)
  yield* prove(
    names.every((name, index) => counts[index]! <= (name === "adam" ? most + 1 : most)),
    `${counts.reduce((sum, count) => sum + count)} exchanges for ${calls} calls, one for each token and its life: ` +
      `${names.map((name, index) => `${name} ${counts[index]}`).join(", ")}, of which one is for adam's new sign-in`
  )
})
