/**
 * Checks of what the definitions cost in a model's context.
 */
import type { StaticCheck } from "../internal/Check.ts"
import { tokensOf } from "../internal/tokens.ts"

const mostTools = 30
const mostTokens = 2_500

export const affordable: StaticCheck = {
  info: {
    id: "A17",
    title: "The definitions are few and short enough for a model to choose among",
    why: "Every definition is read with every question and paid for. Beyond thirty tools models choose worse, and a long definition crowds out the work.",
    fix: "Split the connector by job, take out tools that nobody needs, and shorten what is long.",
    severity: "warn"
  },
  run: ({ name, tools }) => {
    const sizes = tools.map((tool) => ({ tool, tokens: tokensOf(tool) }))
    const total = sizes.reduce((sum, { tokens }) => sum + tokens, 0)
    const isChosen = tools.every(({ meta }) => "anthropic/alwaysLoad" in meta)
    return {
      faults: [
        ...(tools.length > mostTools && !isChosen
          ? [
              {
                subject: name,
                where: "/tools",
                message: `has ${tools.length} tools, and does not say which of them are always loaded`,
                evidence: `about ${total} tokens in all`
              }
            ]
          : []),
        ...sizes
          .filter(({ tokens }) => tokens > mostTokens)
          .map(({ tokens, tool }) => ({
            subject: tool.name,
            where: "",
            message: `takes about ${tokens} tokens, and ${mostTokens} should do`,
            evidence: `about ${total} tokens in all`
          }))
      ],
      note: `${tools.length} tools, about ${total} tokens`
    }
  }
}
