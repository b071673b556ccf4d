import { DefinitionError, Policy, Principal, TransientError } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as fc from "fast-check"
import { allowsIn, factsOf, policies, principalWith, worlds } from "./fixtures/policies.ts"

const nobody = Principal.make({ id: "nobody" })
const agent = Principal.make({ id: "agent", roles: ["agent"], scopes: ["tickets:read"] })
const admin = Principal.make({ id: "admin", roles: ["admin"] })
const own = Policy.predicate(
  "the ticket is the caller's",
  (principal, input: { readonly owner: string }) => principal.id === input.owner
)

const outcome = (policy: Policy.Policy, principal: typeof agent) =>
  Effect.map(Policy.decide(policy, principal, {}), ({ _tag }) => _tag)

describe("a decision", () => {
  it.effect("allows a principal that has one of the roles, and says which", () =>
    Effect.gen(function* () {
      const policy = Policy.role("agent", "admin")
      assert.deepStrictEqual(yield* Policy.decide(policy, agent, {}), {
        _tag: "Allowed",
        reasons: [{ _tag: "Role", roles: ["agent"], holds: true }]
      })
      assert.deepStrictEqual(yield* Policy.decide(policy, nobody, {}), {
        _tag: "Denied",
        reasons: [{ _tag: "Role", roles: ["agent", "admin"], holds: false }]
      })
      assert.strictEqual(yield* outcome(Policy.role("Agent"), agent), "Denied")
    })
  )

  it.effect("names each scope that is missing, of every part", () =>
    Effect.gen(function* () {
      const policy = Policy.all(Policy.scope("tickets:read", "tickets:write"), Policy.scope("mail:send"))
      assert.deepStrictEqual(yield* Policy.decide(policy, agent, {}), {
        _tag: "MissingScopes",
        scopes: ["tickets:write", "mail:send"],
        reasons: [
          { _tag: "Scope", scopes: ["tickets:write"], holds: false },
          { _tag: "Scope", scopes: ["mail:send"], holds: false }
        ]
      })
      assert.deepStrictEqual(Policy.missingScopes(policy, agent, {}), ["tickets:write", "mail:send"])
    })
  )

  it.effect("does not offer scopes where a role is missing too", () =>
    Effect.gen(function* () {
      const policy = Policy.all(Policy.scope("tickets:write"), Policy.role("admin"))
      assert.strictEqual(yield* outcome(policy, agent), "Denied")
      assert.deepStrictEqual(Policy.missingScopes(policy, agent, {}), [])
    })
  )

  it("asks for the fewest scopes when one of several ways would do", () => {
    const policy = Policy.any(Policy.scope("a", "b"), Policy.scope("c"), Policy.role("admin"))
    assert.deepStrictEqual(Policy.missingScopes(policy, agent, {}), ["c"])
    assert.deepStrictEqual(Policy.missingScopes(Policy.not(Policy.not(policy)), agent, {}), ["c"])
  })

  it.effect("goes by the arguments", () =>
    Effect.gen(function* () {
      const reach = Policy.any(Policy.role("admin"), Policy.all(Policy.role("agent"), own))
      assert.deepStrictEqual(yield* Policy.decide(reach, agent, { owner: "agent" }), {
        _tag: "Allowed",
        reasons: [
          { _tag: "Role", roles: ["agent"], holds: true },
          { _tag: "Predicate", sentence: "the ticket is the caller's", holds: true }
        ]
      })
      assert.deepStrictEqual(yield* Policy.decide(reach, agent, { owner: "other" }), {
        _tag: "Denied",
        reasons: [
          { _tag: "Role", roles: ["admin"], holds: false },
          { _tag: "Predicate", sentence: "the ticket is the caller's", holds: false }
        ]
      })
      assert.strictEqual((yield* Policy.decide(Policy.not(own), agent, { owner: "agent" }))._tag, "Denied")
    })
  )

  it.effect("denies what `not` forbids, and says what is in the way", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Policy.decide(Policy.not(Policy.role("agent")), agent, {}), {
        _tag: "Denied",
        reasons: [{ _tag: "Role", roles: ["agent"], holds: true }]
      })
      assert.strictEqual(yield* outcome(Policy.not(Policy.role("admin")), agent), "Allowed")
      assert.strictEqual(yield* outcome(Policy.not(Policy.scope("tickets:read")), agent), "Denied")
    })
  )

  it("says its reasons in words, without any argument", () => {
    const holds = { _tag: "Predicate", sentence: "the queue is the caller's", holds: true } as const
    assert.strictEqual(
      Policy.explain({ reasons: [{ _tag: "Role", roles: ["agent"], holds: true }] }),
      "has the role agent"
    )
    assert.strictEqual(
      Policy.explain({
        reasons: [
          { _tag: "Role", roles: ["admin", "owner"], holds: false },
          { _tag: "Scope", scopes: ["a", "b"], holds: false },
          { _tag: "Role", roles: ["admin", "owner"], holds: false }
        ]
      }),
      "lacks the role admin or owner; lacks the scope a and b"
    )
    assert.strictEqual(
      Policy.explain({ reasons: [holds, { ...holds, holds: false }, { ...holds, holds: "unknown" }] }),
      "the queue is the caller's; it is not so that the queue is the caller's; it could not be checked that the queue is the caller's"
    )
  })

  it("is what logic says, for any policy in any world", () => {
    fc.assert(
      fc.property(policies, fc.constantFrom(...worlds), (policy, world) => {
        const decision = Effect.runSync(Policy.decide(policy, principalWith(world), world))
        assert.strictEqual(decision._tag === "Allowed", allowsIn(policy, world))
      }),
      { numRuns: 2000 }
    )
  })

  it("rests on its reasons alone: every world that shares them is decided alike", () => {
    fc.assert(
      fc.property(policies, fc.constantFrom(...worlds), (policy, world) => {
        const { _tag, reasons } = Effect.runSync(Policy.decide(policy, principalWith(world), world))
        const facts = factsOf(reasons)
        const alike = worlds.filter((other) => Object.entries(facts).every(([name, holds]) => other[name] === holds))
        assert.include(alike, world)
        for (const other of alike) assert.strictEqual(allowsIn(policy, other), _tag === "Allowed")
      }),
      { numRuns: 500 }
    )
  })
})

describe("a listing", () => {
  it("hides nothing that arguments or further scopes could allow", () => {
    assert.isTrue(Policy.isVisible(own, nobody))
    assert.isTrue(Policy.isVisible(Policy.not(own), nobody))
    assert.isTrue(Policy.isVisible(Policy.not(Policy.all(own, Policy.role("agent"))), agent))
    assert.isTrue(Policy.isVisible(Policy.scope("tickets:write"), nobody))
  })

  it("hides what no arguments and no further scope could allow", () => {
    assert.isFalse(Policy.isVisible(Policy.role("admin"), agent))
    assert.isFalse(Policy.isVisible(Policy.all(own, Policy.role("admin")), agent))
    assert.isFalse(Policy.isVisible(Policy.not(Policy.role("agent")), agent))
  })

  it("never runs a test", () => {
    let ran = 0
    const policy = Policy.predicate("it is so", () => ++ran > 0)
    assert.isTrue(Policy.isVisible(Policy.any(policy, Policy.not(policy)), agent))
    assert.strictEqual(ran, 0)
  })
})

describe("a predicate that asks a service", () => {
  const asking = (answer: Effect.Effect<boolean, TransientError>) => {
    const asked = { times: 0 }
    const test = () =>
      Effect.suspend(() => {
        asked.times++
        return answer
      })
    return { asked, policy: Policy.predicate("the directory knows the caller", test) }
  }
  const yes = Effect.as(Effect.yieldNow, true)

  it.effect("decides by its answer, and is asked once however often the policy has it", () =>
    Effect.gen(function* () {
      const { asked, policy } = asking(yes)
      assert.strictEqual(yield* outcome(Policy.all(policy, Policy.any(policy, Policy.role("x"))), agent), "Allowed")
      assert.strictEqual(asked.times, 1)
      assert.strictEqual(yield* outcome(Policy.not(policy), agent), "Denied")
    })
  )

  it.effect("is asked only where its answer could allow the call", () =>
    Effect.gen(function* () {
      const { asked, policy } = asking(yes)
      assert.strictEqual(yield* outcome(Policy.any(policy, Policy.role("admin")), admin), "Allowed")
      assert.strictEqual(yield* outcome(Policy.all(policy, Policy.role("admin")), agent), "Denied")
      assert.strictEqual(yield* outcome(Policy.all(policy, Policy.scope("b")), agent), "MissingScopes")
      assert.deepStrictEqual(Policy.missingScopes(Policy.all(policy, Policy.scope("b")), agent, {}), ["b"])
      assert.deepStrictEqual(Policy.missingScopes(Policy.any(policy, Policy.scope("b")), agent, {}), [])
      assert.strictEqual(asked.times, 0)
    })
  )

  it.effect("can't be checked after five seconds, or what its timeout says, and is interrupted", () =>
    Effect.gen(function* () {
      let interrupted = 0
      const slow = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void interrupted++))
      const deciding = yield* Effect.forkChild(
        Effect.all([
          Policy.decide(
            Policy.predicate("it is so", () => slow),
            agent,
            {}
          ),
          Policy.decide(
            Policy.predicate("it is so", () => slow, { timeout: "1 second" }),
            agent,
            {}
          )
        ]),
        { startImmediately: true }
      )
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(interrupted, 1)
      yield* TestClock.adjust("1 second")
      const [decision] = yield* Fiber.join(deciding)
      assert.strictEqual(interrupted, 2)
      assert.strictEqual(decision._tag, "Unchecked")
      assert.include(
        decision._tag === "Unchecked" ? Cause.pretty(decision.cause) : "",
        '"it is so" was not answered within 5s'
      )
    })
  )

  it.effect("does not hold up the call where it can't be interrupted", () =>
    Effect.gen(function* () {
      const stuck = Policy.predicate("it is so", () => Effect.uninterruptible(Effect.never))
      const deciding = yield* Effect.forkChild(outcome(stuck, agent), { startImmediately: true })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* Fiber.join(deciding), "Unchecked")
    })
  )

  it.effect("ends when the caller leaves", () =>
    Effect.gen(function* () {
      let interrupted = false
      const slow = Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (interrupted = true)))
      const deciding = yield* Effect.forkChild(
        outcome(
          Policy.predicate("it is so", () => slow),
          agent
        ),
        {
          startImmediately: true
        }
      )
      yield* Fiber.interrupt(deciding)
      assert.isTrue(interrupted)
    })
  )
})

describe("a predicate that can't be checked", () => {
  const broken: Record<string, () => boolean | Effect.Effect<boolean, TransientError>> = {
    throws: () => {
      throw new Error("no such claim")
    },
    dies: () => Effect.die(new Error("no such claim")),
    "dies later": () => Effect.andThen(Effect.yieldNow, Effect.die(new Error("no such claim"))),
    fails: () => Effect.fail(new TransientError({ message: "The directory is down" })),
    "interrupts itself": () => Effect.interrupt,
    "gives a promise": () => Promise.resolve(true) as never,
    "gives a truthy text": () => "yes" as never,
    "succeeds with a text": () => Effect.succeed("yes") as never,
    "succeeds later with a text": () => Effect.as(Effect.yieldNow, "yes") as never
  }

  for (const [name, test] of Object.entries(broken)) {
    it.effect(`as it ${name}, neither allows nor, negated, allows`, () =>
      Effect.gen(function* () {
        const rule = Policy.predicate("it is so", test)
        for (const policy of [rule, Policy.not(rule), Policy.all(Policy.role("agent"), rule)]) {
          const decision = yield* Policy.decide(policy, agent, {})
          assert.strictEqual(decision._tag, "Unchecked")
          assert.strictEqual(decision._tag === "Unchecked" && decision.sentence, "it is so")
          assert.include(Policy.explain(decision), "it could not be checked that it is so")
        }
      })
    )
  }

  it.effect("changes nothing where the rest decides, whatever the order", () =>
    Effect.gen(function* () {
      const rule = Policy.predicate("it is so", broken["throws"]!)
      for (const policy of [Policy.any(rule, Policy.role("admin")), Policy.any(Policy.role("admin"), rule)]) {
        assert.strictEqual(yield* outcome(policy, admin), "Allowed")
        assert.strictEqual(yield* outcome(policy, agent), "Unchecked")
      }
      assert.strictEqual(yield* outcome(Policy.all(rule, Policy.role("admin")), agent), "Denied")
    })
  )

  it.effect("leaves the way over a scope open, and offers none that would not do", () =>
    Effect.gen(function* () {
      const rule = Policy.predicate("it is so", broken["throws"]!)
      assert.strictEqual(yield* outcome(Policy.any(rule, Policy.scope("b")), agent), "MissingScopes")
      assert.strictEqual(yield* outcome(Policy.all(rule, Policy.scope("b")), agent), "Unchecked")
    })
  )
})

describe("in words", () => {
  it("a policy is a sentence that has one meaning", () => {
    const policy = Policy.any(
      Policy.role("admin"),
      Policy.all(Policy.role("agent"), own, Policy.not(Policy.scope("x")))
    )
    assert.strictEqual(
      Policy.describe(policy),
      "the role admin or (the role agent and that the ticket is the caller's and not the scope x)"
    )
    const said: ReadonlyArray<readonly [Policy.Policy, string]> = [
      [Policy.role("agent", "admin"), "the role agent or admin"],
      [Policy.scope("a", "b"), "the scope a and b"],
      [Policy.all(Policy.role("a", "b"), Policy.scope("x")), "(the role a or b) and the scope x"],
      [Policy.any(Policy.scope("x", "y"), Policy.role("a")), "(the scope x and y) or the role a"],
      [Policy.not(Policy.role("a", "b")), "not (the role a or b)"],
      [Policy.all(Policy.any(Policy.role("a"))), "the role a"],
      [Policy.role("a or b"), 'the role "a or b"'],
      [Policy.not(Policy.predicate("it is late or dark", () => true)), "not (that it is late or dark)"]
    ]
    for (const [each, words] of said) assert.strictEqual(Policy.describe(each), words)
  })

  it("its roles and scopes can be listed", () => {
    const policy = Policy.all(
      Policy.role("a", "b"),
      Policy.not(Policy.any(Policy.role("a", "c"), Policy.scope("x"))),
      own
    )
    assert.deepStrictEqual(Policy.rolesOf(policy), ["a", "b", "c"])
    assert.deepStrictEqual(Policy.scopesOf(policy), ["x"])
  })
})

describe("what could mean nothing", () => {
  // As a list that was built at run time may come.
  const none = [] as unknown as readonly [never]
  const refused: Record<string, () => unknown> = {
    "Policy.role cannot be built:\n  - it names no role": () => Policy.role(...none),
    "Policy.scope cannot be built:\n  - a scope must be 1 to 256 characters of well-formed text": () =>
      Policy.scope(""),
    "Policy.role cannot be built:\n  - a role must be 1 to 256 characters of well-formed text": () =>
      Policy.role("a\ud800"),
    "Policy.all cannot be built:\n  - it has no policies": () => Policy.all(...none),
    "Policy.any cannot be built:\n  - it has no policies": () => Policy.any(...none),
    "A predicate cannot be built:\n  - the sentence must say the rule, as well-formed text": () =>
      Policy.predicate(" ", () => true),
    "A predicate cannot be built:\n  - the timeout must be finite and positive": () =>
      Policy.predicate("it is so", () => true, { timeout: "0 seconds" })
  }
  for (const [message, make] of Object.entries(refused)) {
    it(`is refused where it is written: ${message.split("- ")[1]}`, () => {
      try {
        make()
        assert.fail("it was built")
      } catch (error) {
        assert.instanceOf(error, DefinitionError)
        assert.strictEqual(error.message, message)
      }
    })
  }
})

describe("as JSON", () => {
  const read = (json: unknown) => Effect.runSync(Effect.flip(Policy.fromJson(json)))

  it("a policy is data, and a predicate is its sentence, marked opaque", () => {
    const policy = Policy.any(Policy.role("admin"), Policy.all(Policy.scope("a", "b"), Policy.not(own)))
    assert.deepStrictEqual(Policy.toJson(policy), {
      any: [{ role: ["admin"] }, { all: [{ scope: ["a", "b"] }, { not: { opaque: "the ticket is the caller's" } }] }]
    })
  })

  it("a policy reads back as it was, and allows only what it allows whatever the opaque parts would say", () => {
    fc.assert(
      fc.property(policies, fc.constantFrom(...worlds), (policy, world) => {
        const json = JSON.parse(JSON.stringify(Policy.toJson(policy)))
        const again = Effect.runSync(Policy.fromJson(json))
        assert.deepStrictEqual(Policy.toJson(again), Policy.toJson(policy))
        assert.strictEqual(Policy.describe(again), Policy.describe(policy))
        const { _tag } = Effect.runSync(Policy.decide(again, principalWith(world), {}))
        if (!JSON.stringify(json).includes("opaque")) assert.strictEqual(_tag === "Allowed", allowsIn(policy, world))
        if (_tag !== "Allowed") return
        const shared = Object.keys(world).filter((name) => name.length === 1)
        for (const other of worlds) {
          if (shared.every((name) => other[name] === world[name])) assert.isTrue(allowsIn(policy, other))
        }
      }),
      { numRuns: 1000 }
    )
  })

  it("what is no policy is not read", () => {
    for (const json of [
      null,
      {},
      { role: [] },
      { role: [""] },
      { all: [] },
      { role: ["a"], not: { role: ["b"] } },
      { not: { roles: ["a"] } },
      { opaque: "" }
    ]) {
      assert.instanceOf(read(json), Schema.SchemaError)
    }
  })
})
