/** A real CEL evaluator as the judge of the exported expressions. */
import { Policy, Principal } from "@ferrule/core"
import { assert, describe, it } from "@effect/vitest"
import { celFunc, CelScalar, isCelError, run } from "@bufbuild/cel"
import { Effect } from "effect"
import * as fc from "fast-check"
import { allowsIn, plainPolicies, policies, principals, principalWith, worlds } from "./fixtures/policies.ts"

const gateway = (
  expression: string,
  { roles, scopes }: typeof Principal.Service,
  opaque: (sentence: string) => boolean = () => false
) =>
  run(
    expression,
    { principal: new Map(Object.entries({ roles: [...roles], scopes: [...scopes] })) },
    { funcs: [celFunc("opaque", [CelScalar.STRING], CelScalar.BOOL, opaque)] }
  )

const decided = (policy: Policy.Policy, principal: typeof Principal.Service) =>
  Effect.runSync(Policy.decide(policy, principal, {}))._tag === "Allowed"

describe("as CEL", () => {
  it("a policy reads as it is meant", () => {
    const policy = Policy.any(
      Policy.role("admin", "owner"),
      Policy.all(Policy.scope("a", "b"), Policy.not(Policy.role("guest")))
    )
    assert.deepStrictEqual(Policy.toCel(policy), {
      expression:
        '(("admin" in principal.roles) || ("owner" in principal.roles)) || ' +
        '((("a" in principal.scopes) && ("b" in principal.scopes)) && (!("guest" in principal.roles)))',
      opaque: []
    })
  })

  it("a policy without predicates is true exactly where it allows", () => {
    let allowed = 0
    fc.assert(
      fc.property(plainPolicies, fc.constantFrom(...worlds), (policy, world) => {
        const principal = principalWith(world)
        const answer = gateway(Policy.toCel(policy).expression, principal)
        assert.strictEqual(answer, decided(policy, principal))
        if (answer === true) allowed++
      }),
      { numRuns: 1000 }
    )
    assert.isAbove(allowed, 100)
    assert.isBelow(allowed, 900)
  })

  it("a name is that name, whatever is in it", () => {
    fc.assert(
      fc.property(principals, ({ name, principal }) => {
        for (const policy of [Policy.role(name), Policy.scope(name), Policy.not(Policy.role(name, "other"))]) {
          assert.strictEqual(gateway(Policy.toCel(policy).expression, principal), decided(policy, principal))
        }
      }),
      { numRuns: 500 }
    )
  })

  it("a predicate is a call of opaque with its sentence, and is listed", () => {
    const sentence = 'the queue is "own"'
    const policy = Policy.all(
      Policy.role("agent"),
      Policy.predicate(sentence, () => false)
    )
    assert.deepStrictEqual(Policy.toCel(policy), {
      expression: '("agent" in principal.roles) && (opaque("the queue is \\"own\\""))',
      opaque: [sentence]
    })
  })

  it("a gateway that knows what the predicates say decides as the connector does", () => {
    fc.assert(
      fc.property(policies, fc.constantFrom(...worlds), (policy, world) => {
        const { expression, opaque } = Policy.toCel(policy)
        const asked: Array<string> = []
        const answer = gateway(expression, principalWith(world), (sentence) => {
          asked.push(sentence)
          return world[sentence] === true
        })
        assert.strictEqual(answer, allowsIn(policy, world))
        for (const sentence of asked) assert.include(opaque, sentence)
      }),
      { numRuns: 500 }
    )
  })

  it("a gateway that has no such function gives no answer", () => {
    const { expression } = Policy.toCel(Policy.predicate("it is so", () => true))
    assert.isTrue(isCelError(run(expression, { principal: new Map() })))
  })
})
