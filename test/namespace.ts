import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'

/** A namespace of Linux, in which mounts and networks are other than on the machine. */
export interface Namespace {
  /** What a command begins with that shall run in it. */
  readonly within: readonly [command: string, ...args: string[]]
  /** A process in it. */
  readonly pid: number | undefined
  /** It is gone then, unless a process still runs in it. */
  close(): Promise<void>
}

export interface NamespaceOptions {
  readonly kinds: readonly ('--mount' | '--net')[]
  /** What a shell does in it first, and the parameters of that. */
  readonly script: string
  readonly parameters: readonly string[]
}

/** Root may make one; anybody else is root of a user namespace of their own. */
const WAYS = [
  { make: [], enter: [] },
  { make: ['--user', '--map-root-user'], enter: ['--user', '--preserve-credentials'] },
]

/** Throws an Error with the reason where none can be made. */
export async function makeNamespace({ kinds, script, parameters }: NamespaceOptions): Promise<Namespace> {
  const faults: string[] = []
  for (const { make, enter } of WAYS) {
    // It keeps the namespace for as long as its input is open.
    const command = ['/bin/sh', '-ec', `${script}\necho ready\nread -r _`, 'keeper', ...parameters]
    const keeper = spawn('unshare', [...kinds, ...make, ...command])
    const fault = await faultOf(keeper)
    if (fault === undefined)
      return {
        within: ['nsenter', '--target', String(keeper.pid), ...kinds, ...enter],
        pid: keeper.pid,
        close: async () => {
          keeper.stdin.end()
          await once(keeper, 'close')
        },
      }
    faults.push(`unshare ${[...kinds, ...make].join(' ')}: ${fault.trim()}`)
  }
  throw new Error(
    `no namespace can be made: run it on Linux as root, or where users may have namespaces of their own (in a container: --cap-add SYS_ADMIN). ${faults.join('; ')}`,
  )
}

/** Why there can be none here, if so: for tests to skip themselves. */
export async function whyNoNamespace(options: NamespaceOptions): Promise<string | false> {
  try {
    const { close } = await makeNamespace(options)
    await close()
    return false
  } catch (error) {
    return (error as Error).message // makeNamespace throws nothing else
  }
}

/** Why it ended, unless it is ready. */
function faultOf(keeper: ChildProcessWithoutNullStreams): Promise<string | undefined> {
  const complaint = text(keeper.stderr)
  const ready = once(keeper.stdout, 'data').then(() => undefined)
  const ended = once(keeper, 'close').then(
    () => complaint,
    (error: Error) => error.message,
  )
  return Promise.race([ready, ended])
}
