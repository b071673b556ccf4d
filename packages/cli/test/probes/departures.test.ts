import { assert, describe, it, vi } from "@effect/vitest"
import { Effect } from "effect"
import { execFile, execFileSync, execSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createSocket } from "node:dgram"
import * as Http from "node:http"
import * as Http2 from "node:http2"
import { connect, createServer } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { Worker } from "node:worker_threads"
import { hostileValues } from "../../src/probes/hostileValues.ts"
import { printedServices } from "../../src/probes/printing.ts"
import { readsOnlyRead } from "../../src/probes/reads.ts"
import { passthrough } from "../../src/probes/sessions.ts"
import { upstreamFaults } from "../../src/probes/upstreamFaults.ts"
import { type Ask, asking, quiet } from "../fixtures/clients.ts"
import { findings } from "../fixtures/probing.ts"

vi.setConfig({ testTimeout: 60_000 })

const byFetch = (url: string, token: string) =>
  fetch(`${url}/things`, { headers: { authorization: `Bearer ${token}` } })

const byHttp = (url: string, options: Http.RequestOptions, body = "") =>
  new Promise((resolve, reject) => {
    const request = Http.request(url, { agent: false, ...options }, (response) => {
      response.resume().on("end", resolve)
    })
    request.on("error", reject)
    request.write(body.slice(0, 10))
    request.end(body.slice(10))
  })

/** A protocol of its own: a line each way. */
const byLine = (url: string, line: string) =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    socket.on("data", () => resolve(socket.end())).on("error", reject)
    socket.write(`${line}\n`)
  })

const lines = () => createServer((socket) => socket.on("data", () => socket.write("ok\n")).on("error", () => undefined))

const byHttp2 = (url: string, headers: Http2.OutgoingHttpHeaders = {}) =>
  new Promise((resolve, reject) => {
    const session = Http2.connect(url).on("error", reject)
    session
      .request({ ":path": "/things", ...headers })
      .on("end", () => resolve(session.close()))
      .resume()
      .end()
  })

const http2 = () => Http2.createServer((_, response) => response.end("{}"))

describe("C06, a caller's token that is passed on", () => {
  const finds = (what: string, ask: Ask, server?: Parameters<typeof asking>[1]) =>
    it.live(`is found ${what}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* findings(passthrough, asking(ask, server)), [
          "look sends the caller's token upstream, as it is"
        ])
      })
    )

  finds("in a header of the global fetch", byFetch)
  finds("where fetch sends it without being waited for", async (url, token) => void byFetch(url, token))
  finds("in the address that node:http asks", (url, token) => byHttp(`${url}/?token=${token}`, {}))
  finds("in a body in chunks", (url, token) =>
    byHttp(url, { method: "POST", headers: { "transfer-encoding": "chunked" } }, JSON.stringify({ token }))
  )
  finds("in a header of HTTP/2", (url, token) => byHttp2(url, { authorization: `Bearer ${token}` }), http2)
  finds(
    "in the metadata of gRPC",
    (url, token) =>
      byHttp2(url, { ":method": "POST", "content-type": "application/grpc", authorization: `Bearer ${token}` }),
    http2
  )
  finds("in an argument of a program", (_, token) => new Promise((resolve) => execFile("true", [token], resolve)))
  finds("in an argument of a program that is waited for", async (_, token) => execFileSync("true", ["-H", token]))
  finds("in a command of the shell", async (_, token) => execSync(`true ${token}`))
  finds("in a protocol that is no HTTP", (url, token) => byLine(url, `AUTH ${token}`), lines)

  it.live("is found in what goes to a local socket", () =>
    Effect.gen(function* () {
      const folder = mkdtempSync(join(tmpdir(), "ferrule-socket-"))
      const socketPath = join(folder, "upstream.sock")
      const server = Http.createServer((_, response) => response.end("{}")).listen(socketPath)
      yield* Effect.addFinalizer(() => Effect.sync(() => (server.close(), rmSync(folder, { recursive: true }))))
      const local = asking((_, token) => byHttp("http://docker/things", { socketPath, headers: { "x-caller": token } }))
      assert.deepStrictEqual(yield* findings(passthrough, local), ["look sends the caller's token upstream, as it is"])
    }).pipe(Effect.scoped)
  )

  it.live("passes where another client sends none, or sends it to be exchanged", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* findings(
          passthrough,
          asking((url) => fetch(`${url}/things`))
        ),
        []
      )
      const exchanging = asking((url, token) =>
        fetch(`${url}/token`, {
          method: "POST",
          body: new URLSearchParams({
            grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
            subject_token: token
          })
        })
      )
      assert.deepStrictEqual(yield* findings(passthrough, exchanging), [])
      assert.deepStrictEqual(
        yield* findings(
          passthrough,
          asking((url) => byLine(url, "PING"), lines)
        ),
        []
      )
    })
  )

  it.live("is nothing to judge where nothing leaves the process", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(passthrough, quiet), [
        "Over the layers that it is probed with, it has no upstream that a token could be passed on to: while each of its tools was called, no request, message, connection, program or thread left this process."
      ])
    })
  )

  const unseen = (way: string, ask: Ask, server?: Parameters<typeof asking>[1]) =>
    it.live(`is not said to be absent from ${way}`, () =>
      Effect.gen(function* () {
        const [said, ...more] = yield* findings(passthrough, asking(ask, server))
        assert.deepStrictEqual(more, [])
        assert.match(said!.replace(/127\.0\.0\.1:\d+/, "upstream"), new RegExp(`What went by ${way} can't be seen\\.$`))
      })
    )

  unseen("a connection to upstream", (url) => byHttp2(url), http2)
  unseen("a program that was started", () => new Promise((resolve) => execFile("true", resolve)))
  unseen(
    "a thread that was started",
    () => new Promise((resolve) => new Worker("", { eval: true }).on("exit", resolve))
  )
  unseen("a datagram socket", () => new Promise<void>((resolve) => createSocket("udp4").close(resolve)))
})

describe("F07, a read that changes something", () => {
  it.live("is found where another client than Effect's asks", () =>
    Effect.gen(function* () {
      const posting = asking((url) => fetch(`${url}/views`, { method: "POST" }))
      assert.deepStrictEqual(yield* findings(readsOnlyRead, posting), ["look sends a POST to /views"])
      const deleting = asking((url) => byHttp(`${url}/views/1`, { method: "DELETE" }))
      assert.deepStrictEqual(yield* findings(readsOnlyRead, deleting), ["look sends a DELETE to /views/1"])
      assert.deepStrictEqual(
        yield* findings(
          readsOnlyRead,
          asking((url) => fetch(`${url}/views`))
        ),
        []
      )
    })
  )
})

describe("G04, a value that leads elsewhere", () => {
  it.live("is found where another client than Effect's goes by it", () =>
    Effect.gen(function* () {
      const climbing = asking((url, _token, _own, id) => byHttp(new URL(`/things/${id}`, url).href, {}))
      assert.deepStrictEqual(yield* findings(hostileValues, climbing), ["look lets id choose where its request goes"])
      const careful = asking((url, _token, _own, id) => byHttp(`${url}/things/${encodeURIComponent(id)}`, {}))
      assert.deepStrictEqual(yield* findings(hostileValues, careful), [])
    })
  )

  it.live("is found where a connection is begun to what it names", () =>
    Effect.gen(function* () {
      const led = asking(
        (url, _token, _own, id) => byLine(id.startsWith("http://localhost") ? id : url, "PING").catch(() => undefined),
        lines
      )
      assert.deepStrictEqual(yield* findings(hostileValues, led), ["look lets id choose where it connects to"])
    })
  )
})

describe("D05, a credential that is printed", () => {
  it.live("is found where another client than Effect's has sent it", () =>
    Effect.gen(function* () {
      const sending = asking((url, _, own) => fetch(url, { headers: { "x-api-key": own } }))
      assert.deepStrictEqual(yield* findings(printedServices, sending), [
        "clients/Vault shows a credential that was sent upstream, as it is, when it is printed"
      ])
    })
  )

  it.live("is nothing to judge where none is held and nothing leaves, and open where something does", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* findings(printedServices, quiet), [
        "Over the layers that it is probed with, it holds no credential: none is watched by the scrubber, and nothing that could carry one left this process while each of its tools was called."
      ])
      assert.deepStrictEqual(
        yield* findings(
          printedServices,
          asking((url) => fetch(url))
        ),
        [
          "Its handlers held no credential that could be seen: none was watched by the scrubber or sent in a header of HTTP. Tell Scrubber.watch of what they hold, such as a database's password, and it is looked for."
        ]
      )
    })
  )
})

describe("E03, an upstream that fails", () => {
  it.live("is judged where handlers call the global fetch, and not only at first", () =>
    Effect.gen(function* () {
      const trusting = asking(async (url) => {
        await delay(1)
        return (await fetch(`${url}/things`)).text()
      })
      const found = yield* findings(upstreamFaults, trusting)
      assert.include(found, "look answers as if nothing had happened where its upstream has failed")
      assert.include(
        found,
        "look answers with Internal where its upstream resets the connection after it did what was asked"
      )
    })
  )

  it.live("is judged where the module has put a double in the place of the global fetch", () =>
    Effect.gen(function* () {
      const before = globalThis.fetch
      const asked: Array<string> = []
      globalThis.fetch = async (input) => {
        asked.push(new Request(input).url)
        return Response.json({})
      }
      const found = yield* findings(
        upstreamFaults,
        asking(() => fetch("https://doubled.test/things"))
      ).pipe(Effect.ensuring(Effect.sync(() => (globalThis.fetch = before))))
      assert.include(found, "look answers as if nothing had happened where its upstream has failed")
      assert.include(asked, "https://doubled.test/things")
    })
  )

  it.live("is not judged where no fault can be put in between, and is nothing where none is asked", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(
        yield* findings(
          upstreamFaults,
          asking((url) => byHttp(url, {}))
        ),
        [
          "look could not be judged: what they ask is asked by another way than fetch, or Effect's HttpClient over it, where no fault can be put in between"
        ]
      )
      assert.deepStrictEqual(yield* findings(upstreamFaults, quiet), ["no tool asks an upstream"])
    })
  )
})
