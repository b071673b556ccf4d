/**
 * The people of the company, as its identity provider knows them.
 */
import { createHash, timingSafeEqual } from "node:crypto"

export type Role = "clerk" | "accountant" | "auditor"

export interface Person {
  readonly id: string
  readonly role: Role
  readonly password: string
}

export interface Accounts {
  /** The person, unless they have left. */
  readonly find: (id: string) => Person | undefined
  readonly signIn: (id: string, password: string) => Person | undefined
  /** Lets nobody in by this name any more. */
  readonly close: (id: string) => void
}

export const make = (people: ReadonlyArray<Person>): Accounts => {
  const open = new Map(people.map((person) => [person.id, person]))
  return {
    find: (id) => open.get(id),
    signIn: (id, password) => {
      const person = open.get(id)
      return person !== undefined && isSameSecret(person.password, password) ? person : undefined
    },
    close: (id) => void open.delete(id)
  }
}

/** Takes as long whatever is given. */
export const isSameSecret = (expected: string, given: string): boolean =>
  timingSafeEqual(createHash("sha256").update(expected).digest(), createHash("sha256").update(given).digest())
