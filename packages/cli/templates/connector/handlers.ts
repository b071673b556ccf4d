/** What the tools do. A handler fails with ValidationError, AuthorizationError or TransientError, and nothing else. */
import { Effect, Option } from "effect"
import { Notes } from "./Notes.ts"
import { connector } from "./tools.ts"

export const handlers = connector.toLayer({
  read_notes: Effect.fn("read_notes")(function* ({ topic }) {
    const notes = yield* Notes
    return { notes: (yield* notes.on(topic)).slice(0, 100) }
  }),
  add_note: {
    find: Effect.fn("add_note.find")(function* ({ text, topic }) {
      const notes = yield* Notes
      const texts = yield* notes.on(topic)
      return texts.includes(text) ? Option.some({ count: texts.length }) : Option.none()
    }),
    execute: Effect.fn("add_note")(function* (note) {
      const notes = yield* Notes
      yield* notes.add(note)
      return { count: (yield* notes.on(note.topic)).length }
    })
  }
})
