/** The tools that the official conformance suite expects of a server, as far as a server of tools can have them. */
import { Identity } from "@ferrule/mcp/Identity"
import type { ToolHost, ToolRequest } from "@ferrule/mcp/ToolHost"
import { Principal } from "@ferrule/core/Principal"
import type { CallToolResult, Tool } from "@modelcontextprotocol/server"
import { Effect, Layer } from "effect"

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
const wav = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA="

const text = { type: "text" as const, text: "This is a simple text response for testing." }
const image = { type: "image" as const, data: png, mimeType: "image/png" }
const resource = (uri: string) => ({
  type: "resource" as const,
  resource: { uri, mimeType: "text/plain", text: "This is an embedded resource content." }
})

const answers: Record<string, CallToolResult> = {
  test_simple_text: { content: [text] },
  test_image_content: { content: [image] },
  test_audio_content: { content: [{ type: "audio", data: wav, mimeType: "audio/wav" }] },
  test_embedded_resource: { content: [resource("test://embedded-resource")] },
  test_multiple_content_types: {
    content: [{ type: "text", text: "Multiple content types test:" }, image, resource("test://mixed-content-resource")]
  },
  test_error_handling: {
    content: [{ type: "text", text: "This tool intentionally returns an error for testing" }],
    isError: true
  },
  test_tool_with_progress: { content: [text] },
  test_region: { content: [text] },
  json_schema_2020_12_tool: { content: [text] }
}

// Every keyword of this schema has to arrive as it is.
const everyKeyword: Tool["inputSchema"] = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  type: "object",
  $defs: {
    address: {
      $anchor: "addressDef",
      type: "object",
      properties: { street: { type: "string" }, city: { type: "string" } }
    }
  },
  properties: {
    name: { type: "string" },
    address: { $ref: "#/$defs/address" },
    contactMethod: { type: "string", enum: ["phone", "email"] },
    phone: { type: "string" },
    email: { type: "string" }
  },
  allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
  if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
  // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
  then: { required: ["phone"] },
  else: { required: ["email"] },
  additionalProperties: false
}

const noArguments: Tool["inputSchema"] = { type: "object", properties: {}, additionalProperties: false }

const inputSchemas: Record<string, Tool["inputSchema"]> = {
  test_region: { ...noArguments, properties: { region: { type: "string", "x-mcp-header": "Region" } } },
  json_schema_2020_12_tool: everyKeyword
}

const tools: Array<Tool> = Object.keys(answers).map((name) => ({
  name,
  description: `A tool for the conformance suite: ${name}.`,
  inputSchema: inputSchemas[name] ?? noArguments
}))

const call = ({ name, progress }: ToolRequest) =>
  Effect.gen(function* () {
    if (name === "test_tool_with_progress") {
      for (const value of [0, 50, 100]) {
        progress?.(value, 100)
        // A report that shares a chunk with the result may be lost on a client.
        yield* Effect.sleep("10 millis")
      }
    }
    return answers[name]
  })

export const conformanceHost: ToolHost = {
  name: "conformance",
  version: "1.0.0",
  title: undefined,
  instructions: undefined,
  scopes: [],
  list: () => tools,
  missingScopes: () => [],
  call
}

const anybody = Principal.make({ id: "anybody" })

/** The suite sends no credentials. */
export const everybody = Layer.succeed(
  Identity,
  Identity.of({ authenticate: () => Effect.succeed({ principal: anybody }) })
)
