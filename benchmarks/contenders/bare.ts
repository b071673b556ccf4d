/**
 * The ceiling: it parses each request and answers a constant. No server of any kind can do less.
 */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import type { Contender } from "../Contender.ts"
import { expected } from "../Workload.ts"

const result = JSON.stringify({
  resultType: "complete",
  content: [{ type: "text", text: JSON.stringify(expected) }]
})

/** Answers a request; undefined for a notification. */
const answer = (text: string): string | undefined => {
  const { id } = JSON.parse(text) as { id?: number }
  return id === undefined ? undefined : `{"jsonrpc":"2.0","id":${id},"result":${result}}`
}

export const contender: Contender = {
  connect: async (receive) => (text) => {
    const answered = answer(text)
    if (answered !== undefined) receive(answered)
  },

  serveStdio: async () => {
    let rest = ""
    process.stdin.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n")
      rest = lines.pop()!
      const answers = lines.map(answer).filter((line) => line !== undefined)
      if (answers.length > 0) process.stdout.write(answers.join("\n") + "\n")
    })
  },

  serveHttp: async () => {
    const server = createServer((request, response) => {
      let body = ""
      request.setEncoding("utf8")
      request.on("data", (chunk: string) => (body += chunk))
      request.on("end", () => {
        const answered = answer(body)
        if (answered === undefined) return response.writeHead(202).end()
        response.writeHead(200, { "content-type": "application/json", "content-length": answered.length })
        return response.end(answered)
      })
    })
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
    return { port: (server.address() as AddressInfo).port, path: "/mcp" }
  }
}
