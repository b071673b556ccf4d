/**
 * Chance that a seed repeats, so that a run can be told again. What the machine does in between is not in the seed.
 */
export interface Dice {
  /** A number from `least` to below `most`. */
  readonly between: (least: number, most: number) => number
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(values: ReadonlyArray<A>) => A
}

/** Dice by the generator mulberry32. */
export const make = (seed: number): Dice => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    between: (least, most) => least + next() * (most - least),
    chance: (probability) => next() < probability,
    pick: (values) => values[Math.floor(next() * values.length)]!
  }
}
