/**
 * What a contender is: one server of the tool, reachable in memory, over stdio and over HTTP. Each lives in its own
 * file under `contenders`, and is loaded only in the child process that serves it.
 */
import type { Mode } from "./Rounds.ts"
import type { Revision, Work } from "./Workload.ts"

export interface Contender {
  /** Starts the server in this process. It gives its messages to `receive` and takes the client's from the result. */
  readonly connect: (receive: (text: string) => void) => Promise<(text: string) => void>
  /** Serves on the standard streams of this process. */
  readonly serveStdio: () => Promise<void>
  /** Serves on a free port of 127.0.0.1 and says where, and with which bearer token if it is a special one. */
  readonly serveHttp: () => Promise<{ readonly port: number; readonly path: string; readonly token?: string }>
}

export interface Entry {
  /** The file in `contenders`, and what `--only` takes. */
  readonly name: string
  readonly title: string
  readonly revisions: ReadonlyArray<Revision>
  readonly works: ReadonlyArray<Work>
  /** Where it is measured; everywhere unless given. */
  readonly modes?: ReadonlyArray<Mode>
  /** What a variant of Ferrule does that `ferrule` does not. */
  readonly adds?: string
}

const both: ReadonlyArray<Revision> = ["2025-11-25", "2026-07-28"]

/** The contenders in the order in which they take turns. */
export const entries: ReadonlyArray<Entry> = [
  { name: "ferrule", title: "Ferrule", revisions: both, works: ["read", "write"] },
  {
    name: "ferrule-logged",
    title: "Ferrule, log on stderr",
    revisions: both,
    works: ["read"],
    adds: "one structured log entry for each call"
  },
  {
    name: "ferrule-jwt",
    title: "Ferrule, JWT by JWKS",
    revisions: both,
    works: ["read"],
    modes: ["http"],
    adds: "an RS256 token, verified when it first comes and then known by its hash"
  },
  {
    name: "ferrule-policy",
    title: "Ferrule, large policy",
    revisions: both,
    works: ["read"],
    modes: ["memory", "http"],
    adds: "six roles, two scopes and a rule over the arguments in place of one role"
  },
  {
    name: "ferrule-secrets",
    title: "Ferrule, 8 secrets",
    revisions: both,
    works: ["read"],
    modes: ["memory", "http"],
    adds: "eight live secrets, for which each answer and each audit record is searched"
  },
  { name: "sdk", title: "SDK 2 McpServer + zod", revisions: both, works: ["read"] },
  { name: "sdk-low-level", title: "SDK 2 Server", revisions: both, works: ["read"] },
  { name: "effect", title: "Effect McpServer", revisions: both, works: ["read"] },
  { name: "fastmcp", title: "fastmcp", revisions: ["2025-11-25"], works: ["read"] },
  { name: "bare", title: "bare ceiling", revisions: both, works: ["read"] }
]
