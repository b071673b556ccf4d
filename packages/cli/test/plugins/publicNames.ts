/**
 * Servers of this machine under public names, as clients reach a company's: over HTTPS, with a certificate of an authority
 * that the clients are told to trust, behind a reverse proxy. Clients ask a proxy for every name, so that whatever else they
 * ask for is seen, and refused.
 */
import { Effect } from "effect"
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import * as http from "node:http"
import * as https from "node:https"
import { type AddressInfo, connect, type Server, type Socket } from "node:net"
import { join } from "node:path"
import { pipeline } from "node:stream"
import type { Environment } from "../claude.ts"
import { temporary } from "./installed.ts"

export interface PublicNames {
  /** What leads a client to the names. */
  readonly environment: Environment
  /** Each name and port that clients have asked for. */
  readonly asked: ReadonlySet<string>
}

/** Serves the port of this machine under each name, until the scope closes. With none, it sees what clients ask for. */
export const serve = Effect.fnUntraced(function* (ports: Readonly<Record<string, number>>) {
  const folder = yield* temporary
  const { authority, ...certificate } = issue(folder, ["localhost", ...Object.keys(ports)])
  const reverse = yield* listening(https.createServer(certificate, forward(ports)))
  const asked = new Set<string>()
  const proxy = http.createServer((_, response) => response.writeHead(403).end())
  proxy.on("connect", ({ url = "" }, socket: Socket) => {
    asked.add(url)
    const [name, port] = url.split(":")
    if (port !== "443" || ports[name ?? ""] === undefined) return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n")
    socket.write("HTTP/1.1 200 OK\r\n\r\n")
    const inner = connect(reverse, "127.0.0.1")
    // Either end may leave whenever it likes.
    pipeline(socket, inner, socket, () => inner.destroy())
  })
  const address = `http://127.0.0.1:${yield* listening(proxy)}`
  const names: PublicNames = {
    environment: {
      HTTPS_PROXY: address,
      HTTP_PROXY: address,
      NO_PROXY: "127.0.0.1,localhost",
      NODE_EXTRA_CA_CERTS: authority,
      NODE_USE_ENV_PROXY: "1"
    },
    asked
  }
  return names
})

/** Has OpenSSL make an authority, and a certificate of its for the names. */
const issue = (folder: string, names: ReadonlyArray<string>) => {
  const openssl = (args: string) => execFileSync("openssl", args.split(" "), { cwd: folder, stdio: "pipe" })
  const key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
  openssl(`${key} -subj /CN=Acme -keyout authority.key -out authority.pem`)
  const san = names.map((name) => `DNS:${name}`).join(",")
  openssl(
    `${key} -subj /CN=${names[0]} -addext subjectAltName=${san} -addext basicConstraints=CA:FALSE -CA authority.pem -CAkey authority.key -keyout server.key -out server.pem`
  )
  return {
    authority: join(folder, "authority.pem"),
    key: readFileSync(join(folder, "server.key")),
    cert: readFileSync(join(folder, "server.pem"))
  }
}

/** Hands requests to the port of their name, as a reverse proxy does: under the address that the server listens on. */
const forward =
  (ports: Readonly<Record<string, number>>): http.RequestListener =>
  (request, response) => {
    const host = `127.0.0.1:${ports[request.headers.host ?? ""]}`
    const inner = http.request(`http://${host}${request.url}`, {
      method: request.method,
      headers: { ...request.headers, host }
    })
    inner.once("response", (answer) => {
      response.writeHead(answer.statusCode!, answer.headers)
      pipeline(answer, response, () => inner.destroy())
    })
    pipeline(request, inner, (error) => error && response.destroy())
  }

/** The port that a server listens on, until the scope closes and with it every connection. */
const listening = (server: Server) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<ReadonlySet<Socket>>((resume) => {
        const sockets = new Set<Socket>()
        server.on("connection", (socket: Socket) => {
          sockets.add(socket)
          socket.once("close", () => sockets.delete(socket))
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(sockets)))
      }),
      (sockets) =>
        Effect.sync(() => {
          server.close()
          for (const socket of sockets) socket.destroy()
        })
    ),
    () => (server.address() as AddressInfo).port
  )
