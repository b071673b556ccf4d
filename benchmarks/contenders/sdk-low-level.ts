/**
 * The official SDK's protocol layer alone: `Server` with two request handlers, and nothing that validates arguments.
 */
import { Server } from "@modelcontextprotocol/server"
import type { Contender } from "../Contender.ts"
import { serveSdk } from "../SdkEntries.ts"
import { type Parcel, price, quote, words } from "../Workload.ts"

const tool = {
  ...quote,
  inputSchema: {
    type: "object" as const,
    properties: {
      reference: { type: "string", minLength: 1, maxLength: 40, description: words.reference },
      grams: { type: "integer", minimum: 1, maximum: 30_000, description: words.grams },
      service: { type: "string", enum: ["economy", "express"], description: words.service },
      insured: { type: "boolean", description: words.insured }
    },
    required: ["reference", "grams", "service", "insured"],
    additionalProperties: false
  },
  annotations: { readOnlyHint: true }
}

const make = (): Server => {
  const server = new Server({ name: "bench", version: "1.0.0" }, { capabilities: { tools: {} } })
  server.setRequestHandler("tools/list", () => ({ tools: [tool] }))
  server.setRequestHandler("tools/call", ({ params }) => ({
    content: [{ type: "text", text: JSON.stringify(price(params.arguments as unknown as Parcel)) }]
  }))
  return server
}

export const contender: Contender = serveSdk(make)
