/**
 * How a tool is listed to a client: its contract, and all four hints, which follow from its kind. What audits, locks or
 * documents a connector reads the same.
 */
import type * as CoreTool from "@ferrule/core/Tool"
import type { Tool } from "@modelcontextprotocol/server"
import * as Duration from "effect/Duration"

/**
 * Gives the definition that a client is shown.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofTool = (tool: CoreTool.Any): Tool => ({
  name: tool.name,
  title: tool.title,
  description: tool.kind === "read" ? tool.description : `${tool.description}\n\n${onceSentence(tool)}`,
  // The SDK's type leaves out the keywords of JSON Schema that it does not read itself.
  inputSchema: tool.input.jsonSchema as Tool["inputSchema"],
  outputSchema: tool.output.jsonSchema as NonNullable<Tool["outputSchema"]>,
  annotations: {
    title: tool.title,
    readOnlyHint: tool.kind === "read",
    destructiveHint: tool.kind === "write" && tool.destructive,
    idempotentHint: true,
    openWorldHint: tool.openWorld
  },
  ...(tool.kind === "write" && tool.requiresUserInteraction && { _meta: { [requiresUserInteraction]: true } })
})

/** What Claude Code reads it by, since 2.1.199. */
const requiresUserInteraction = "anthropic/requiresUserInteraction"

/** The hint says that a repeat has no further effect; for how long, only words can say. */
const onceSentence = ({ idempotency: { identity, retention } }: CoreTool.AnyWrite) =>
  `Happens once: for ${spelled(retention)}, another call with the same ${
    identity.length === 0 ? "caller" : identity.join(", ")
  } returns the first result instead of doing it again.`

const spelled = (duration: Duration.Duration): string => {
  const hours = Duration.toHours(duration)
  return hours === 1 ? "an hour" : Number.isInteger(hours) ? `${hours} hours` : Duration.format(duration)
}
