/**
 * The official SDK as its guide shows it: `McpServer`, a zod schema, and the SDK's own entries for each transport.
 */
import { McpServer } from "@modelcontextprotocol/server"
import * as z from "zod"
import type { Contender } from "../Contender.ts"
import { serveSdk } from "../SdkEntries.ts"
import { price, quote, words } from "../Workload.ts"

// The schema is made once: a server object is made for every HTTP request.
const inputSchema = z.strictObject({
  reference: z.string().min(1).max(40).describe(words.reference),
  grams: z.int().min(1).max(30_000).describe(words.grams),
  service: z.enum(["economy", "express"]).describe(words.service),
  insured: z.boolean().describe(words.insured)
})

const make = (): McpServer => {
  const server = new McpServer({ name: "bench", version: "1.0.0" })
  const { description, name, title } = quote
  server.registerTool(
    name,
    { title, description, inputSchema, annotations: { readOnlyHint: true } },
    async (parcel) => ({
      content: [{ type: "text", text: JSON.stringify(price(parcel)) }]
    })
  )
  return server
}

export const contender: Contender = serveSdk(make)
