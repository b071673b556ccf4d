/**
 * About how many tokens a tool's definition takes in a model's context: one for 3.5 characters of its JSON, which is what
 * English and JSON come to on average. It orders tools by cost; it is no bill.
 */
import type { SubjectTool } from "./Subject.ts"

const charactersPerToken = 3.5

export const tokensOf = ({ description, inputSchema, name, title }: SubjectTool): number =>
  Math.ceil(JSON.stringify({ name, title, description, inputSchema }).length / charactersPerToken)
