/**
 * Sees to it that nothing which the run has started outlives it, however the run ends, `kill -9` included: a shell in a
 * session of its own waits for the end of its input, then kills what it was told to watch and removes the folder.
 */
import { Effect, type Scope } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"

export interface Reaper {
  readonly watch: (pid: number) => void
  readonly forget: (pid: number) => void
}

const script = `
trap '' INT HUP TERM
watched=" "
while read -r what pid; do
  case $what in
    watch) watched="$watched$pid " ;;
    forget) watched="\${watched%% $pid *} \${watched#* $pid }" ;;
  esac
done
for pid in $watched; do kill -9 "$pid" 2>/dev/null; done
for _ in 1 2 3 4 5; do rm -rf "$1" && break; sleep 0.2; done
`

export const make = (folder: string): Effect.Effect<Reaper, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        spawn("sh", ["-c", script, "reaper", folder], { stdio: ["pipe", "ignore", "ignore"], detached: true })
      ),
      (shell) =>
        Effect.promise(() => {
          const ended = once(shell, "exit")
          shell.stdin.end()
          return ended
        })
    ),
    (shell) => {
      // A process that ends after the reaper was told to is no longer its concern.
      const tell = (line: string) => {
        if (shell.stdin.writable) shell.stdin.write(`${line}\n`)
      }
      return { watch: (pid) => tell(`watch ${pid}`), forget: (pid) => tell(`forget ${pid}`) }
    }
  )
