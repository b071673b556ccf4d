/**
 * The official SDK's own way onto each transport, for the two contenders that are built on it.
 */
import { createServer, type RequestListener } from "node:http"
import type { AddressInfo } from "node:net"
import { toNodeHandler } from "@modelcontextprotocol/node"
import { createMcpHandler, type McpServerFactory } from "@modelcontextprotocol/server"
import { serveStdio } from "@modelcontextprotocol/server/stdio"
import type { Contender } from "./Contender.ts"
import { TextTransport } from "./TextTransport.ts"

export const serveSdk = (make: McpServerFactory): Contender => ({
  connect: async (receive) => {
    const transport = new TextTransport(receive)
    serveStdio(make, { transport })
    return (text) => transport.take(text)
  },

  serveStdio: async () => {
    serveStdio(make)
  },

  serveHttp: async () => {
    // The adapter's own types leave `undefined` out of Node's optional fields.
    const handle = toNodeHandler(createMcpHandler(make)) as RequestListener
    const server = createServer(handle)
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
    return { port: (server.address() as AddressInfo).port, path: "/mcp" }
  }
})
