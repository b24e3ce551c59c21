import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, stat } from 'node:fs/promises'
import { basename, delimiter, join, resolve } from 'node:path'
import { promisify } from 'node:util'

/*
 * A Dockerfile's steps without a Docker engine: every stage is a folder that stands for its root file system, RUN runs
 * in it, and the image's commands start as its user. It knows the instructions that docker/Dockerfile uses and throws
 * at any other, so that nothing of the image goes untested unnoticed.
 */

const run = promisify(execFile)
const isRoot = process.getuid?.() === 0

export interface Step {
  readonly instruction: string
  readonly flags: Readonly<Record<string, string>>
  readonly text: string
}

export interface Image {
  /** The folder that stands for `/`. */
  readonly root: string
  readonly environment: Record<string, string>
  readonly volumes: string[]
  readonly ports: string[]
  workdir: string
  user: string
  entrypoint: readonly string[]
  command: readonly string[]
  health: readonly string[]
  stopSignal: NodeJS.Signals
}

/** Where a build reads: the folder of the context, what of it may be sent, and the stages so far. */
interface Build {
  readonly context: string
  readonly sent: ReadonlySet<string>
  readonly stages: Map<string, Image>
}

/** Runs all stages, one by one, in clean folders below `directory`; the last is the image. */
export async function buildImage(context: string, directory: string): Promise<Image> {
  const build = { context, sent: await sentToBuilder(context), stages: new Map<string, Image>() }
  let image: Image | undefined
  for (const step of parseDockerfile(await readFile(join(context, 'docker/Dockerfile'), 'utf8'))) {
    if (step.instruction === 'FROM') image = await startStage(step, directory, build)
    else if (image === undefined) throw new Error(`${step.instruction} stands before FROM`)
    else await instructions[step.instruction]?.(image, step, build)
  }
  if (image === undefined) throw new Error('the Dockerfile has no FROM')
  await takeAwayWriting(image)
  return image
}

export function parseDockerfile(content: string): Step[] {
  const lines = content.replace(/^\s*#.*\n/gm, '').replaceAll('\\\n', ' ')
  return lines.split('\n').flatMap(line => (line.trim() === '' ? [] : [parseStep(line.trim())]))
}

/** Starts a command as the container would: as the image's user, with its environment and nothing of ours. */
export function startIn(image: Image, command: readonly string[], environment: Record<string, string>): ChildProcess {
  const [uid, gid] = image.user.split(':').map(Number)
  const values = Object.entries(image.environment).map(([name, value]) => [name, inRoot(image, value)])
  const clean = cleanly({ PATH: searchPath(image), ...Object.fromEntries(values), ...environment })
  return spawn(clean.program, [...clean.parameters, ...command.map(part => inRoot(image, part))], {
    cwd: inRoot(image, image.workdir),
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(isRoot && uid !== undefined && gid !== undefined ? { uid, gid } : {}), // only root can become another user
  })
}

/** `/app` of the image is `<root>/app` here; all that is no absolute path stays as it is. */
export function inRoot({ root }: Image, path: string): string {
  return path.startsWith('/') ? join(root, path) : path
}

function parseStep(line: string): Step {
  const [, instruction = '', flags = '', text = ''] = /^(\w+)((?:\s+--[\w-]+=\S+)*)\s+(.*)$/.exec(line) ?? []
  if (instruction !== 'FROM' && !Object.hasOwn(instructions, instruction))
    throw new Error(`the test does not know what this step does: ${line}`)
  const named = [...flags.matchAll(/--([\w-]+)=(\S+)/g)].map(([, name = '', value = '']) => [name, value])
  return { instruction, text, flags: Object.fromEntries(named) }
}

type Instruction = (image: Image, step: Step, build: Build) => unknown // a promise where a step takes time

const instructions: Readonly<Record<string, Instruction>> = {
  WORKDIR(image, { text }) {
    image.workdir = text
    return mkdir(inRoot(image, text), { recursive: true })
  },
  COPY: copy,
  RUN: runStep,
  ENV(image, { text }) {
    if (/["'$\\]/.test(text)) throw new Error(`only plain NAME=value is known here: ENV ${text}`)
    for (const [, name = '', value = ''] of text.matchAll(/(\w+)=(\S*)/g)) image.environment[name] = value
  },
  USER(image, { text }) {
    if (!/^\d+:\d+$/.test(text)) throw new Error(`the user must be two numbers: USER ${text}`)
    image.user = text
  },
  VOLUME(image, { text }) {
    image.volumes.push(text)
  },
  EXPOSE(image, { text }) {
    image.ports.push(text)
  },
  HEALTHCHECK(image, { text }) {
    image.health = execForm(text.replace(/^CMD\s+/, ''))
  },
  STOPSIGNAL(image, { text }) {
    image.stopSignal = text as NodeJS.Signals // kill() throws at any other
  },
  ENTRYPOINT(image, { text }) {
    image.entrypoint = execForm(text)
  },
  CMD(image, { text }) {
    image.command = execForm(text)
  },
}

async function startStage({ text }: Step, directory: string, { stages }: Build): Promise<Image> {
  const root = await mkdtemp(join(directory, 'stage-'))
  await chmod(root, 0o755)
  // The base image's Node is the one that runs this. A copy: the original may be in a folder closed to other users.
  await mkdir(join(root, 'usr/local/bin'), { recursive: true })
  await copyFile(process.execPath, join(root, 'usr/local/bin/node'))
  const image: Image = {
    root,
    environment: {},
    volumes: [],
    ports: [],
    workdir: '/',
    user: '0:0',
    entrypoint: [],
    command: [],
    health: [],
    stopSignal: 'SIGTERM',
  }
  stages.set(/ AS (\w+)$/.exec(text)?.[1] ?? '', image)
  return image
}

async function copy(image: Image, { flags: { from, ...others }, text }: Step, build: Build): Promise<void> {
  if (Object.keys(others).length > 0) throw new Error(`a flag that is not known here: COPY ${text}`)
  const paths = text.split(/\s+/)
  const to = paths.pop() ?? ''
  const target = resolve(inRoot(image, image.workdir), inRoot(image, to))
  for (const path of paths) {
    const source = from === undefined ? fromContext(path, build) : fromStage(from, path, build)
    // As Docker does: of a folder the content is copied, and a name with / at its end is a folder to copy into.
    const isInto = to.endsWith('/') && (await stat(source)).isFile()
    await cp(source, isInto ? join(target, basename(source)) : target, { recursive: true, verbatimSymlinks: true })
  }
}

function fromContext(path: string, { context, sent }: Build): string {
  if (sent.has(path)) return join(context, path)
  throw new Error(`.dockerignore keeps ${path} from the builder`)
}

function fromStage(name: string, path: string, { stages }: Build): string {
  const stage = stages.get(name)
  if (stage !== undefined) return inRoot(stage, path)
  throw new Error(`there is no stage ${name}`)
}

async function runStep(image: Image, { text }: Step): Promise<void> {
  if (/(^|[\s=>'"])[/~]/.test(text)) throw new Error(`an absolute path would reach this machine: RUN ${text}`)
  if (!isRoot && text.startsWith('chown ')) return // all files are ours, and so is the process that will use them
  const clean = cleanly({ ...registryAccess(), ...image.environment, PATH: searchPath(image) })
  await run(clean.program, [...clean.parameters, '/bin/sh', '-c', text], { cwd: inRoot(image, image.workdir) })
}

/** `env -i`, as the option `env` of spawn is not enough: tap adds its own hooks there, and they write files. */
function cleanly(environment: NodeJS.ProcessEnv): { program: string; parameters: string[] } {
  const pairs = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  return { program: '/usr/bin/env', parameters: ['-i', ...pairs] }
}

/** What npm needs of this machine to reach the registry; the rest of our environment (tap's, npm's) stays outside. */
function registryAccess(): NodeJS.ProcessEnv {
  const needed = /^(HOME|NODE_EXTRA_CA_CERTS|(https?|no)_proxy|npm_config_(registry|userconfig|cafile|cache))$/i
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => needed.test(name)))
}

/** The stage's Node comes first, and no command of this project's node_modules is found. */
function searchPath(image: Image): string {
  const ours = (process.env.PATH ?? '').split(delimiter).filter(folder => !folder.includes('node_modules'))
  return [inRoot(image, '/usr/local/bin'), ...ours].join(delimiter)
}

/** The names that .dockerignore lets through: it refuses everything, then allows names of the top folder. */
async function sentToBuilder(context: string): Promise<ReadonlySet<string>> {
  const lines = (await readFile(join(context, '.dockerignore'), 'utf8')).split('\n')
  const [first, ...allowed] = lines.filter(line => line !== '' && !line.startsWith('#'))
  if (first === '*' && allowed.every(line => /^![\w.-]+$/.test(line)))
    return new Set(allowed.map(line => line.slice(1)))
  throw new Error('.dockerignore must be * and then !names')
}

function execForm(text: string): string[] {
  const parts: unknown = text.startsWith('[') ? JSON.parse(text) : undefined
  if (Array.isArray(parts) && parts.every(part => typeof part === 'string')) return parts
  throw new Error(`a shell would stand between the signals and Node; write it as ["…"]: ${text}`)
}

/** Root's files are read-only for the image's user. Without root the files are that user's own, so they are closed. */
async function takeAwayWriting(image: Image): Promise<void> {
  if (isRoot) return
  await run('chmod', ['-R', 'a-w', image.root])
  for (const volume of image.volumes) await run('chmod', ['-R', 'u+w', inRoot(image, volume)])
}
