/**
 * HAProxy in front of the instances, as `haproxy.cfg` has it, and what it says of them.
 */
import { Effect, Schedule } from "effect"
import { readFile, writeFile } from "node:fs/promises"
import { connect } from "node:net"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { DemoError } from "../../service-desk/demo/World.ts"
import type { Place } from "./Instance.ts"
import * as Program from "./Program.ts"

/** Starts it, and returns when it sends requests to every instance. It ends with the scope. */
export const start = Effect.fnUntraced(function* (options: {
  readonly folder: string
  readonly port: number
  readonly instances: ReadonlyArray<Place>
}) {
  const { folder, port, instances } = options
  const config = join(folder, "haproxy.cfg")
  const socket = join(folder, "haproxy.sock")
  const servers = instances.map(({ name, port, healthPort }) => {
    return `  server ${name} 127.0.0.1:${port} check port ${healthPort}\n`
  })
  yield* attempt(async () => {
    const rules = await readFile(join(import.meta.dirname, "..", "haproxy.cfg"), "utf8")
    await writeFile(config, rules + servers.join(""))
  })
  const program = yield* Program.start({
    command: "haproxy",
    args: ["-db", "-f", config],
    // Debian keeps it where only the superuser looks.
    env: {
      PATH: `${process.env["PATH"]}:/usr/local/sbin:/usr/sbin`,
      BALANCER_PORT: String(port),
      BALANCER_SOCKET: socket
    }
  })

  const rows = Effect.map(
    attempt(() => ask(socket, "show stat")),
    (answer) => parse(answer).filter((row) => row["pxname"] === "instances")
  )
  const row = (name: string) => Effect.map(rows, (rows) => rows.find((row) => row["svname"] === name) ?? {})

  const until = (name: string, state: string) =>
    Effect.map(row(name), (row) => row["status"]).pipe(
      Effect.catch(() => Effect.succeed("it does not answer")),
      Effect.repeat({
        until: (status) => status === state,
        schedule: Schedule.spaced("20 millis").pipe(Schedule.upTo({ duration: "60 seconds" }))
      }),
      Effect.filterOrFail(
        (status) => status === state,
        (status) => new DemoError({ message: `the balancer says of ${name}: ${status}, and not ${state}` })
      )
    )

  yield* Effect.raceFirst(
    Effect.forEach(instances, ({ name }) => until(name, "UP"), { discard: true }),
    Effect.flatMap(program.ended, (how) =>
      Effect.fail(new DemoError({ message: `the balancer did not start (${how}): ${program.lastWords()}` }))
    )
  )

  return {
    url: new URL(`http://127.0.0.1:${port}/mcp`),
    /** Returns when it sends requests to that instance. */
    untilUp: (name: string) => until(name, "UP"),
    /** Returns when it has taken that instance for dead. */
    untilDown: (name: string) => until(name, "DOWN"),
    /** How many requests it has sent again, to another instance. */
    resent: Effect.map(row("BACKEND"), (row) => Number(row["wredis"]))
  }
})

export type Balancer = Effect.Success<ReturnType<typeof start>>

const attempt = <A>(run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (cause) => new DemoError({ message: `the balancer: ${String(cause)}` }) })

const ask = (path: string, command: string): Promise<string> =>
  text(connect(path).end(`${command}\n`).setEncoding("utf8"))

/** Reads HAProxy's table: names in the first line, after a #, and no value with a comma. */
const parse = (csv: string): ReadonlyArray<Readonly<Record<string, string>>> => {
  const [names = [], ...rows] = csv
    .replace(/^# /, "")
    .split("\n")
    .map((line) => line.split(","))
  return rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index] ?? ""])))
}
