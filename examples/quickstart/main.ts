/** Notes that Claude can read and add to: one read, one write, over stdio. */
import { Connector, IdempotencyStore, Policy, Principal, Tool } from "@ferrule/core"
import { Identity, Mcp } from "@ferrule/mcp"
import { Effect, Schema } from "effect"

const Topic = Schema.String.check(Schema.isBetweenLength(1, 50)).annotate({ description: "At most 50 characters." })
const Text = Schema.String.check(Schema.isBetweenLength(1, 500)).annotate({ description: "At most 500 characters." })

const ReadNotes = Tool.read("read_notes", {
  title: "Read notes",
  description: "Returns the notes on one topic, oldest first. Use it before you add one. It can't search their text.",
  input: Schema.Struct({ topic: Topic }),
  output: Schema.Struct({ notes: Schema.Array(Text).annotate({ description: "The latest 100." }) }),
  allow: Policy.role("reader", "writer")
})
const AddNote = Tool.write("add_note", {
  title: "Add a note",
  description: "Keeps a note on a topic, for as long as this server runs. Use it for facts. It can't change a note.",
  input: Schema.Struct({ topic: Topic, text: Text }),
  output: Schema.Struct({ count: Schema.Int.annotate({ description: "How many notes are kept." }) }),
  allow: Policy.role("writer"),
  idempotency: { identity: ["topic", "text"], recovery: "unknown", checkWith: "read_notes" },
  destructive: false
})
export const Notes = Connector.make("notes", { version: "1.0.0", tools: [ReadNotes, AddNote] })

const kept: Array<{ readonly topic: string; readonly text: string }> = []
export const NotesHandlers = Notes.toLayer({
  read_notes: ({ topic }) =>
    Effect.sync(() => ({ notes: kept.flatMap((note) => (note.topic === topic ? note.text : [])).slice(-100) })),
  add_note: (note) => Effect.sync(() => ({ count: kept.push(note) }))
})

const me = Principal.make({ id: "me", roles: ["writer"] })
const Server = Mcp.runStdio(Notes).pipe(
  Effect.provide([NotesHandlers, IdempotencyStore.layerMemory, Identity.layerDeclared(me)])
)
if (import.meta.main) Mcp.runMain(Server)
