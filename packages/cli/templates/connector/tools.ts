/** What the model can do, as data: what each tool takes and gives, who may call it, and what a repeat of it means. */
import { Connector, Policy, Tool } from "@ferrule/core"
import { Schema } from "effect"

const Topic = Schema.String.check(Schema.isBetweenLength(1, 50)).annotate({
  description: "What the note is about, in one or two words, at most 50 characters."
})
const Text = Schema.String.check(Schema.isBetweenLength(1, 500)).annotate({
  description: "One fact, at most 500 characters."
})

export const ReadNotes = Tool.read("read_notes", {
  title: "Read notes",
  description:
    "Returns the notes on one topic, oldest first. Use it before you add a note. It does not search the text of notes.",
  input: Schema.Struct({ topic: Topic }),
  output: Schema.Struct({
    notes: Schema.Array(Text).check(Schema.isMaxLength(100)).annotate({
      description: "The first 100 notes on the topic."
    })
  }),
  allow: Policy.role("reader", "writer"),
  openWorld: false
})

export const AddNote = Tool.write("add_note", {
  title: "Add a note",
  description:
    "Keeps one fact on a topic for everyone who reads it. Use it for what is sure. Do not use it for drafts: a note can't be changed.",
  input: Schema.Struct({ topic: Topic, text: Text }),
  output: Schema.Struct({
    count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000_000 })).annotate({
      description: "How many notes the topic has now."
    })
  }),
  allow: Policy.role("writer"),
  // The same text on the same topic is the same note. After a crash, `find` is asked whether it is there.
  idempotency: { identity: ["topic", "text"], recovery: "reconcile" },
  destructive: false,
  openWorld: false
})

export const connector = Connector.make("my-connector", {
  version: "0.1.0",
  title: "My connector",
  tools: [ReadNotes, AddNote],
  // Of each caller, so that an agent in a loop does not take the connector from the others.
  rateLimit: { limit: 120, window: "1 minute" }
})
