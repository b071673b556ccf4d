/**
 * What befalls the fleet and the store while the callers go on, each fault at its own pace.
 */
import { Effect, type Scope } from "effect"
import type { Dice } from "./Dice.ts"
import type { Fleet } from "./Fleet.ts"
import type { Fault, History } from "./History.ts"
import type { Running } from "./Servers.ts"

export interface Options {
  readonly fleet: Fleet
  readonly history: History
  readonly dice: Dice
  readonly store: Running
  /** Longer than the tool's lease by some, in milliseconds. */
  readonly lease: number
  readonly count: (fault: Fault) => void
}

/** Does one fault again and again. What lasts for a while is over when this is interrupted. */
export const inject = (fault: Fault, options: Options): Effect.Effect<never, never, Scope.Scope> =>
  Effect.forever(
    Effect.suspend(() => {
      const wait = Effect.sleep(pause(fault, options.dice))
      return Effect.andThen(
        fault === "kill" ? Effect.andThen(wait, someAnswers(options)) : wait,
        strike(fault, options)
      )
    })
  )

/** On a busy machine processes that are killed too fast would never get to answer, and nothing would be seen of them. */
const someAnswers = ({ history }: Options): Effect.Effect<unknown> => {
  const enough = history.answered() + leastAnswers
  return Effect.timeoutOption(
    Effect.repeat(Effect.sleep("5 millis"), { until: () => history.answered() >= enough }),
    "1 second"
  )
}
const leastAnswers = 5

/** The milliseconds to the next fault of a kind. */
const pause = (fault: Fault, dice: Dice): number => {
  switch (fault) {
    case "kill":
      return dice.between(40, 110)
    case "pause":
      return dice.between(300, 700)
    case "restart":
      return dice.between(1500, 3000)
    case "cut":
      return dice.between(100, 500)
    case "clock":
      return dice.between(200, 800)
    case "drop":
      return 1000
  }
}

const hour = 3_600_000

const strike = (
  fault: Fault,
  { count, dice, fleet, history, lease, store }: Options
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.suspend(() => {
    const slot = dice.pick(fleet.slots)
    switch (fault) {
      case "kill": {
        const killed = [slot, ...fleet.slots].find((each) => fleet.kill(each))
        if (killed === undefined) return Effect.void
        history.strike("kill", [killed])
        // What was wrong with the process has gone with it.
        history.heal("pause", [killed])
        count("kill")
        return Effect.void
      }
      case "pause": {
        const goOn = fleet.pause(slot)
        if (goOn === undefined) return Effect.void
        history.strike("pause", [slot], true)
        count("pause")
        const end = Effect.sync(() => {
          goOn()
          history.strike("pause", [slot])
          history.heal("pause", [slot])
        })
        return Effect.asVoid(Effect.forkScoped(Effect.ensuring(Effect.sleep(lease * dice.between(0.9, 1.6)), end)))
      }
      case "restart":
        history.strike("restart", fleet.slots, true)
        count("restart")
        return Effect.ensuring(
          store.restart,
          Effect.sync(() => history.heal("restart", fleet.slots))
        )
      case "cut":
        history.strike("cut", fleet.slots)
        count("cut")
        return store.cut(dice)
      case "clock": {
        // Processes on one machine have one clock; a server has its own, and each process may be wrong about it.
        const slots = store.sharesClock ? fleet.slots : [slot]
        const step = dice.pick([-hour, 0, hour])
        history.strike("clock", slots, true)
        for (const each of slots) fleet.step(each, step)
        count("clock")
        return Effect.void
      }
      case "drop":
        return Effect.void
    }
  })
