/**
 * Over stdio: this process writes lines of JSON to the child and reads its lines. Calls that become due in one turn of
 * the event loop go out in one write, so that the load is cheaper than any server.
 */
import { type Lines, openLines } from "../Load.ts"
import { type Running, startChild, type Subject } from "./child.ts"

export const start = async (subject: Subject): Promise<Running> => {
  const child = await startChild("stdio", subject)
  const { stdin, stdout } = child.process
  // A server that is gone says so by its exit, with what it wrote to stderr.
  stdin!.on("error", () => {})
  let outgoing = ""
  const flush = (): void => {
    stdin!.write(outgoing)
    outgoing = ""
  }
  const lines: Lines = {
    send: (text) => {
      if (outgoing === "") queueMicrotask(flush)
      outgoing += text + "\n"
    },
    receive: () => {}
  }
  let rest = ""
  stdout!.setEncoding("utf8").on("data", (chunk: string) => {
    const texts = (rest + chunk).split("\n")
    rest = texts.pop()!
    for (const text of texts) lines.receive(text)
  })
  const load = await Promise.race([openLines(lines, subject.revision, subject.work), child.died])
  return { measure: (window) => Promise.race([load.measure(window), child.died]), stop: child.stop }
}
