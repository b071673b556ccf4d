/**
 * Lines in files that take turns. A file is written by the one process that made it, and never opened again, so what
 * stands in one that was closed is not touched any more, whoever else writes to the folder.
 */
import * as DateTime from "effect/DateTime"
import { randomBytes } from "node:crypto"
import { type FileHandle, open, readdir, unlink } from "node:fs/promises"
import { join } from "node:path"

export interface Options {
  readonly folder: string
  readonly prefix: string
  /** In bytes. */
  readonly maxSize: number
  /** In milliseconds. */
  readonly maxAge: number
  readonly maxFiles: number
  /** Whether a line has to have reached the disk before it counts as kept. */
  readonly isSynced: boolean
  readonly now: () => number
  /** Told of files that were deleted since there were too many, and of what kept one from being deleted. */
  readonly onPruned: (names: ReadonlyArray<string>, fault?: unknown) => void
}

interface Current {
  readonly handle: FileHandle
  readonly path: string
  readonly openedAt: number
  size: number
}

export interface AuditFiles {
  /** Adds lines to the present file, or to a new one when it is full or old. All of them are kept, or none are. */
  readonly append: (lines: string) => Promise<void>
  readonly close: () => Promise<void>
}

/** Makes the first file, so that what is wrong with the folder is known at once. */
export const make = async (options: Options): Promise<AuditFiles> => {
  const { folder, isSynced, maxAge, maxFiles, maxSize, now, onPruned, prefix } = options
  const writer = randomBytes(4).toString("hex")
  let count = 0
  let current: Current | undefined

  const begin = async (): Promise<Current> => {
    const openedAt = now()
    const name = `${prefix}-${stamp(openedAt)}-${writer}-${String(++count).padStart(6, "0")}.jsonl`
    const path = join(folder, name)
    const handle = await open(path, "wx", 0o600)
    current = { handle, path, openedAt, size: 0 }
    try {
      // A file whose name is lost with the power is lost.
      if (isSynced) await syncFolder(folder)
    } catch (cause) {
      await end(current)
      throw cause
    }
    if (maxFiles < Infinity) await prune(name).catch((fault) => onPruned([], fault))
    return current
  }

  const prune = async (newest: string) => {
    const names = (await readdir(folder)).filter((name) => isOurs(prefix, name)).sort()
    const old = names.slice(0, Math.max(0, names.length - maxFiles)).filter((name) => name !== newest)
    for (const name of old) await unlink(join(folder, name)).catch(ignoreMissing)
    if (old.length > 0) onPruned(old)
  }

  const end = async ({ handle, path, size }: Current) => {
    current = undefined
    await handle.close()
    if (size === 0) await unlink(path).catch(ignoreMissing)
  }

  const append = async (bytes: Buffer, tries: number): Promise<void> => {
    if (current !== undefined && isOver(current, bytes.length)) await end(current)
    const file = current ?? (await begin())
    let isWritten = false
    try {
      await writeAll(file.handle, bytes, file.size)
      isWritten = true
      if (isSynced) await file.handle.datasync()
    } catch (cause) {
      const isWhole = await file.handle.truncate(file.size).then(
        () => true,
        () => false
      )
      // After a failed sync nobody knows what of the file is on the disk, and a later sync would not tell.
      if (isWritten || !isWhole) await end(file).catch(() => undefined)
      throw cause
    }
    file.size += bytes.length
    // Deleted meanwhile, by hand or by another process that makes room: what was written is gone with it.
    const { nlink } = await file.handle.stat()
    if (nlink > 0) return
    await end({ ...file, size: 1 })
    if (tries === 0) throw new Error("the files are deleted as soon as they are written")
    return append(bytes, tries - 1)
  }

  const isOver = ({ openedAt, size }: Current, more: number) =>
    size > 0 && (size + more > maxSize || now() - openedAt >= maxAge)

  await begin()
  return {
    append: (lines) => append(Buffer.from(lines), 3),
    close: async () => {
      if (current !== undefined) await end(current)
    }
  }
}

/** The disk may take a part. */
const writeAll = async (handle: FileHandle, bytes: Buffer, position: number): Promise<void> => {
  for (let done = 0; done < bytes.length;) {
    done += (await handle.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}

/** Windows has no such thing. */
const syncFolder = async (folder: string): Promise<void> => {
  if (process.platform === "win32") return
  const handle = await open(folder, "r")
  await handle.sync().finally(() => handle.close())
}

/** Sorts as time passes. */
const stamp = (time: number): string => DateTime.formatIso(DateTime.makeUnsafe(time)).replaceAll(/[-:.]/g, "")

const isOurs = (prefix: string, name: string): boolean =>
  name.startsWith(`${prefix}-`) && /^\d{8}T\d{9}Z-[0-9a-f]{8}-\d{6}\.jsonl$/.test(name.slice(prefix.length + 1))

const ignoreMissing = (error: NodeJS.ErrnoException): void => {
  if (error.code !== "ENOENT") throw error
}
