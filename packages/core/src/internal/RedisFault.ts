/**
 * Says what is wrong when Redis does not do a step.
 *
 * Only the sentences below get out, and no cause: what Redis answers may quote the arguments of the step, and what a client
 * says may hold an address with its password.
 */
import * as Predicate from "effect/Predicate"
import { StoreError } from "../IdempotencyStore.ts"

/** What the client of Redis failed with. */
export interface Fault {
  readonly cause: unknown
}

/** Turns a fault into an error for the operator's log. */
export const describe = (fault: Fault): StoreError => {
  const known = reasons.find(([pattern]) => pattern.test(textOf(fault)))
  return new StoreError({
    reason: known?.[1] ?? "Redis failed a step for a reason of its own. See the log of the server."
  })
}

/** True when the server no longer has a script that was loaded. */
export const isUnknownScript = (fault: Fault): boolean => /\bNOSCRIPT\b/.test(textOf(fault))

/** True when the user of the client may not run a command. */
export const isDenied = (fault: Fault): boolean => denied.test(textOf(fault))

// Clients for Node differ in their classes and codes, and servers in how they wrap the error of a command inside a script.
const textOf = ({ cause }: Fault): string =>
  Predicate.isError(cause)
    ? `${cause.constructor.name} ${Predicate.hasProperty(cause, "code") ? cause.code : ""} ${cause.message}`
    : ""

const denied = /\bNOPERM\b|user executing the script/

const reasons: ReadonlyArray<readonly [pattern: RegExp, reason: string]> = [
  [/\bOOM\b/, "Redis is full and takes no new record. Raise its maxmemory, or give the records a server of their own."],
  [/\bREADONLY\b/, "Redis is a replica and takes no writes. Connect to the primary."],
  [/\bMASTERDOWN\b/, "Redis is a replica without its primary. Connect to the primary."],
  [/\bLOADING\b/, "Redis is loading its data from disk. It takes steps when that is done."],
  [/\bMISCONF\b/, "Redis takes no writes since it can't save to its disk. Check the disk and the log of the server."],
  [/\bNOREPLICAS\b/, "Redis takes no writes since it has too few replicas (min-replicas-to-write). Bring them back."],
  [/\bBUSY\b/, "Redis is held up by a script that has run for too long. End that script (SCRIPT KILL)."],
  [/\bNOAUTH\b|\bWRONGPASS\b/, "Redis refused the credentials of the client. Give it the user and the password."],
  [
    denied,
    "Redis does not let the user of the store do a step. Allow it INFO, SCRIPT LOAD, EVALSHA, EVAL, TIME, EXISTS, HMGET, " +
      "HEXISTS, HSET, DEL and PEXPIRE, on the keys with the store's prefix."
  ],
  [
    /\b(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/,
    "Redis is a cluster that did not take the step on this node. Connect with a client that follows the cluster."
  ],
  [/ECONNREFUSED/, "Nothing accepts connections where Redis should be. Start it, or give the client its address."],
  [/ENOTFOUND|EAI_AGAIN/, "The host name of Redis is not known. Give the client its address."],
  [/EHOSTUNREACH|ENETUNREACH|EHOSTDOWN/, "The host of Redis can't be reached. Check the network."],
  [/CERT|_SSL_|_TLS_/, "The TLS connection to Redis failed. Check the certificates of the server and the client."],
  [/timed? ?out/i, "Redis did not answer in time. Check the server and the network."],
  [
    /ECONNRESET|EPIPE|socket closed/i,
    "The connection to Redis broke during a step, which may have been done. Check the server and the network."
  ],
  [/offline|closed|disconnect/i, "The client has no connection to Redis. Check the server and the network."]
]
