/**
 * The SDK's refusals in this server's words. On its own it quotes what it refuses: headers and members that disagree, an
 * unknown version of the protocol, the text of an exception. And it calls params that fail its schemas an internal error.
 */
import {
  INTERNAL_ERROR,
  INVALID_PARAMS,
  isJSONRPCErrorResponse,
  type JSONRPCMessage,
  type McpServer,
  PARSE_ERROR,
  SUPPORTED_PROTOCOL_VERSIONS
} from "@modelcontextprotocol/server"

/** Replaces the refusal of a request that the SDK's HTTP entry did not get to dispatch. */
export const withoutValues = async (answer: Response): Promise<Response> => {
  if (answer.status !== 400) return answer
  const { error, ...message } = (await answer.clone().json()) as { readonly error: { readonly code: number } }
  const sentence = sentences[error.code]
  if (sentence === undefined) return answer
  return Response.json({ ...message, error: { code: error.code, message: sentence } }, { status: 400 })
}

/** SEP-2243. */
const headerMismatch = -32_020

/** What the SDK says of a version that only the header names. */
const unsupportedVersion = -32_000

const sentences: Readonly<Record<number, string>> = {
  [headerMismatch]:
    "The headers and the body disagree: MCP-Protocol-Version, Mcp-Method, Mcp-Name and each Mcp-Param header must be there and say what the body says",
  [unsupportedVersion]: `MCP-Protocol-Version names no version that is supported without an envelope; supported are ${SUPPORTED_PROTOCOL_VERSIONS.join(", ")}`,
  [INVALID_PARAMS]:
    "The envelope is missing or wrong: from revision 2026-07-28 on, _meta must have io.modelcontextprotocol/protocolVersion, the same as in MCP-Protocol-Version, and io.modelcontextprotocol/clientCapabilities, an object",
  [PARSE_ERROR]: "The body is not a JSON-RPC message"
}

/** Makes a server send no text of an exception. */
export const withoutExceptions = (server: McpServer): McpServer => {
  const connect = server.connect.bind(server)
  server.connect = (transport) => {
    const send = transport.send.bind(transport)
    transport.send = (message, options) => send(withoutException(message), options)
    return connect(transport)
  }
  return server
}

const withoutException = (message: JSONRPCMessage): JSONRPCMessage => {
  if (!isJSONRPCErrorResponse(message) || message.error.code !== INTERNAL_ERROR) return message
  // The list of a schema's issues is all that the SDK throws on its own account.
  return { ...message, error: message.error.message.startsWith("[") ? invalidParams : internalError }
}

const invalidParams = { code: INVALID_PARAMS, message: "The params are not what this method takes" }

const internalError = { code: INTERNAL_ERROR, message: "Internal error" }
