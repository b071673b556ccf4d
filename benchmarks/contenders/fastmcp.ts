/**
 * fastmcp as its README shows it. Over HTTP it keeps a session and answers as an event stream, its default and its
 * fastest way. It waits one millisecond after each call, which is its floor at concurrency 1.
 */
import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { FastMCP } from "fastmcp"
import * as z from "zod"
import type { Contender } from "../Contender.ts"
import { TextTransport } from "../TextTransport.ts"
import { price, quote, words } from "../Workload.ts"

const make = (): FastMCP => {
  const server = new FastMCP({ name: "bench", version: "1.0.0", logger: silent })
  server.addTool({
    name: quote.name,
    description: quote.description,
    parameters: z.strictObject({
      reference: z.string().min(1).max(40).describe(words.reference),
      grams: z.int().min(1).max(30_000).describe(words.grams),
      service: z.enum(["economy", "express"]).describe(words.service),
      insured: z.boolean().describe(words.insured)
    }),
    annotations: { title: quote.title, readOnlyHint: true },
    execute: async (parcel) => JSON.stringify(price(parcel))
  })
  return server
}

// Its own logger writes to stdout, where stdio carries the protocol.
const ignore = (): void => {}
const silent = { debug: ignore, error: ignore, info: ignore, log: ignore, warn: ignore }

export const contender: Contender = {
  connect: async (receive) => {
    const transport = new TextTransport(receive)
    // It connects once the client has initialized, so its promise is not awaited here.
    void make().connect(transport)
    return (text) => transport.take(text)
  },

  serveStdio: async () => {
    void make().start({ transportType: "stdio" })
  },

  serveHttp: async () => {
    const port = await freePort()
    await make().start({ transportType: "httpStream", httpStream: { host: "127.0.0.1", port } })
    return { port, path: "/mcp" }
  }
}

/** fastmcp does not say on which port it listens, so port 0 is of no use to it. */
const freePort = async (): Promise<number> => {
  const probe = createServer()
  await new Promise<void>((listening) => probe.listen(0, "127.0.0.1", listening))
  const { port } = probe.address() as AddressInfo
  await new Promise((closed) => probe.close(closed))
  return port
}
