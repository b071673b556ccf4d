/**
 * A clock that can be set ahead. Timers stay as they are, so that a timeout takes the time that it says; those of `alarm`
 * go off when their time has come by the clock.
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Deferred from "effect/Deferred"

export interface ShiftedClock {
  readonly clock: Clock.Clock
  readonly alarm: Clock.Clock
  readonly advance: (duration: Duration.Input) => void
}

export const shifted = (real: Clock.Clock): ShiftedClock => {
  let ahead = 0
  const nanosAhead = () => BigInt(Math.round(ahead)) * 1_000_000n
  const alarms = new Set<{ readonly at: number; readonly rings: Deferred.Deferred<void> }>()
  const clock: Clock.Clock = {
    currentTimeMillisUnsafe: () => real.currentTimeMillisUnsafe() + ahead,
    currentTimeMillis: Effect.sync(() => clock.currentTimeMillisUnsafe()),
    currentTimeNanosUnsafe: () => real.currentTimeNanosUnsafe() + nanosAhead(),
    currentTimeNanos: Effect.sync(() => clock.currentTimeNanosUnsafe()),
    monotonicTimeNanosUnsafe: () => real.monotonicTimeNanosUnsafe() + nanosAhead(),
    monotonicTimeNanos: Effect.sync(() => clock.monotonicTimeNanosUnsafe()),
    sleep: (duration) => real.sleep(duration)
  }
  const sleep = (duration: Duration.Duration) =>
    Effect.suspend(() => {
      const at = clock.currentTimeMillisUnsafe() + Duration.toMillis(duration)
      const alarm = { at, rings: Deferred.makeUnsafe<void>() }
      alarms.add(alarm)
      return Effect.raceFirst(real.sleep(duration), Deferred.await(alarm.rings)).pipe(
        Effect.ensuring(Effect.sync(() => alarms.delete(alarm)))
      )
    })
  const advance = (duration: Duration.Input) => {
    ahead += Duration.toMillis(Duration.fromInputUnsafe(duration))
    const now = clock.currentTimeMillisUnsafe()
    for (const { at, rings } of alarms) if (at <= now) Deferred.doneUnsafe(rings, Exit.void)
  }
  return { clock, alarm: { ...clock, sleep }, advance }
}
