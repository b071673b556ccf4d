/**
 * In memory: the child holds server and load, and answers what it measured.
 */
import type { Measured } from "../Load.ts"
import { type Running, startChild, type Subject } from "./child.ts"

export const start = async (subject: Subject): Promise<Running> => {
  const child = await startChild("memory", subject)
  return {
    measure: async (window) => (await child.ask(window)) as unknown as Measured,
    stop: child.stop
  }
}
