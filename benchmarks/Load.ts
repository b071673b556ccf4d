/**
 * A closed loop of calls: each of `concurrency` callers sends its next call when its last one is answered, and every
 * answer is checked. `Lines` is any exchange of JSON texts, in memory or on the pipes of a process.
 */
import { answeredId, checking, handshake, requestsOf, type Revision, verify, type Work } from "./Workload.ts"

/**
 * A window ends after `calls` calls or `milliseconds`, whichever comes first of those that are given. `settle` (0) comes
 * before, in milliseconds: calls are made then as later, and are not measured.
 */
export interface Window {
  readonly concurrency: number
  readonly calls?: number
  readonly milliseconds?: number
  readonly settle?: number
}

export interface Measured {
  readonly calls: number
  readonly seconds: number
}

/** What a load can do with one server. */
export interface Load {
  readonly measure: (window: Window) => Promise<Measured>
}

export interface Lines {
  readonly send: (text: string) => void
  /** Set by the load: takes each message of the server. */
  receive: (text: string) => void
}

/** Says how a window has run so far: whether another call may start, and what was measured. */
export class Progress {
  calls = 0
  private started = 0
  private settling = true
  private start: number
  private readonly limit: number
  private readonly milliseconds: number

  constructor({ calls = Infinity, milliseconds = Infinity, settle = 0 }: Window) {
    this.limit = calls
    this.milliseconds = milliseconds
    this.start = performance.now() + settle
  }

  mayStart(): boolean {
    const now = performance.now()
    if (this.settling && now >= this.start) {
      this.settling = false
      this.start = now
      this.calls = 0
    }
    if (this.started >= this.limit || now - this.start >= this.milliseconds) return false
    this.started++
    return true
  }

  measured(): Measured {
    return { calls: this.calls, seconds: (performance.now() - this.start) / 1000 }
  }
}

/** Opens the revision on `lines`, checks one call in every part, and gives the load. */
export const openLines = async (lines: Lines, revision: Revision, work: Work): Promise<Load> => {
  if (revision === "2025-11-25") {
    await ask(lines, handshake[0])
    lines.send(handshake[1])
  }
  const request = requestsOf(revision, work)
  const check = checking(revision)
  let lastId = 1
  verify(await ask(lines, request(lastId)), revision)

  return {
    measure: (window) =>
      new Promise((done, failed) => {
        const progress = new Progress(window)
        const inFlight = new Set<number>()
        let filling = false
        // A server may answer inside `send`: then the loop that is running sends the next call, and nothing recurs.
        const fill = (): void => {
          filling = true
          while (inFlight.size < window.concurrency && progress.mayStart()) {
            inFlight.add(++lastId)
            lines.send(request(lastId))
          }
          filling = false
          if (inFlight.size === 0) done(progress.measured())
        }
        lines.receive = (text) => {
          const id = answeredId(text)
          // fastmcp asks its client for roots, and says after a minute that it has given up.
          if (id === undefined && text.includes('"method":"notifications/')) return
          if (id === undefined || !inFlight.delete(id)) return failed(new Error(`no call awaits this: ${text}`))
          try {
            check(text)
          } catch (error) {
            return failed(error)
          }
          progress.calls++
          if (!filling) fill()
        }
        fill()
      })
  }
}

const ask = (lines: Lines, text: string): Promise<string> =>
  new Promise((answered) => {
    lines.receive = answered
    lines.send(text)
  })
