/**
 * Judges the command that starts a server: whether it runs what was reviewed, and nothing that is fetched or put together when
 * it starts.
 */

/** What is wrong with a command. A `held` one is no danger by itself, and a directory looks at it by hand. */
export interface LaunchFault {
  readonly what: string
  readonly held: boolean
}

const root = "${CLAUDE_PLUGIN_ROOT}/"

/** Lists what is wrong. `has` tells whether the plugin's folder has a file. */
export const faultsOf = (
  command: string,
  args: ReadonlyArray<string>,
  has: (path: string) => boolean
): ReadonlyArray<LaunchFault> => {
  const program = nameOf(command)
  if (program === "env") {
    const at = args.findIndex((arg) => !arg.includes("=") && !arg.startsWith("-"))
    return at < 0 ? [] : faultsOf(args[at]!, args.slice(at + 1), has)
  }
  const fetched = specOf(program, args)
  if (fetched !== undefined) return fetchFaults(program, fetched)
  if (shells.has(program)) {
    return args.some((arg) => /^(-[a-z]*c|\/[ck]|-command|-encodedcommand)$/i.test(arg))
      ? [danger("starts through a shell that is given a line to run")]
      : scriptFaults(args, has)
  }
  if (["npm", "pnpm", "yarn", "bun"].includes(program) && !args.some((arg) => arg.startsWith(root))) {
    return [held("starts through a script of a package, which installs may change")]
  }
  if (program === "docker" || program === "podman") {
    return args.some((arg) => /@sha256:[0-9a-f]{64}$/.test(arg)) ? [] : [danger("runs an image that no digest pins")]
  }
  if (interpreters.has(program)) {
    const evaluates = args.some((arg) => /^(-e|--eval|-p|--print|-c)$/.test(arg))
    return evaluates ? [danger("runs code that stands in its arguments")] : scriptFaults(args, has)
  }
  return pathFaults(command, has)
}

const danger = (what: string): LaunchFault => ({ what, held: false })
const held = (what: string): LaunchFault => ({ what, held: true })

const nameOf = (command: string): string =>
  command
    .split(/[\\/]/)
    .at(-1)!
    .replace(/\.(cmd|exe|bat|ps1)$/i, "")
    .toLowerCase()

const shells = new Set(["sh", "bash", "dash", "zsh", "ksh", "fish", "cmd", "powershell", "pwsh"])
const interpreters = new Set(["node", "bun", "deno", "python", "python3", "ruby", "java", "php", "perl", "uv"])

/** The package that a runner fetches, or an empty text where it names none. */
const specOf = (program: string, args: ReadonlyArray<string>): string | undefined => {
  const isRunner = ["npx", "pnpx", "bunx", "uvx", "pipx"].includes(program)
  const sub = args[0] ?? ""
  const isSub =
    (program === "npm" && ["exec", "x"].includes(sub)) ||
    (["pnpm", "yarn"].includes(program) && sub === "dlx") ||
    (program === "bun" && sub === "x") ||
    (program === "uv" && sub === "tool")
  if (!isRunner && !isSub) return undefined
  const rest = isSub ? args.slice(1) : args
  const option = rest.findIndex((arg) => ["-p", "--package", "--from", "--spec"].includes(arg))
  if (option >= 0) return rest[option + 1] ?? ""
  const joined = rest.find((arg) => /^--(package|from|spec)=/.test(arg))
  if (joined !== undefined) return joined.slice(joined.indexOf("=") + 1)
  return rest.find((arg) => !arg.startsWith("-") && arg !== "run") ?? ""
}

const fetchFaults = (program: string, spec: string): ReadonlyArray<LaunchFault> => {
  const isPinned = /(@|==)\d+\.\d+\.\d+[\w.+-]*$/.test(spec)
  return isPinned
    ? [held(`fetches a package with ${program} when it starts, though of one version`)]
    : [danger(`fetches whatever ${program} finds when it starts: the package is not pinned to a version`)]
}

const scriptFaults = (args: ReadonlyArray<string>, has: (path: string) => boolean): ReadonlyArray<LaunchFault> => {
  const script = args.find((arg) => !arg.startsWith("-") && arg !== "run")
  return script === undefined ? [danger("names no script to run")] : pathFaults(script, has)
}

const pathFaults = (path: string, has: (path: string) => boolean): ReadonlyArray<LaunchFault> => {
  if (!path.startsWith(root))
    return [danger(`does not run from ${root.slice(0, -1)}, so that it runs whatever is found there`)]
  const inside = path.slice(root.length)
  if (inside.split("/").includes("..")) return [danger("runs a file outside the plugin's folder")]
  return has(inside) ? [] : [danger(`runs ${inside}, which the folder does not have`)]
}
