/**
 * What a new connector may be called.
 */
import * as Connector from "@ferrule/core/Connector"
import { DefinitionError } from "@ferrule/core/ConnectorError"

/** By the rules of connectors themselves: one is declared under this name, and what is said of the name is the fault. */
export const faultOfName = (name: string): string | undefined => {
  try {
    Connector.make(name, { version: "0.1.0", tools: [] })
    return undefined
  } catch (error) {
    if (!(error instanceof DefinitionError)) throw error
    return error.faults.find((fault) => fault.startsWith("the name"))
  }
}

/** It stands in code, in JSON and in Markdown. */
export const faultOfTitle = (title: string): string | undefined =>
  /^[\p{L}\p{N}][\p{L}\p{N} .,:&'()/+-]{0,99}$/u.test(title)
    ? undefined
    : "the title must be 1 to 100 letters, digits, spaces and .,:&'()/+-, and begin with a letter or a digit"

export const titleOf = (name: string): string => {
  const words = name.replaceAll("-", " ").trim()
  return words.charAt(0).toUpperCase() + words.slice(1)
}
