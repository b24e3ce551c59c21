import { sampleParameters } from '../src/sample.js'
import { alternate, load, type Measured } from './load.js'
import { residentMegabytes, startProcess } from './processes.js'

const query = new URLSearchParams(sampleParameters).toString()
const quick = process.argv.includes('--quick')
const plan = { connections: 64, seconds: quick ? 2 : 5, warmUpSeconds: 2, rounds: quick ? 3 : 5 }

const begin = performance.now()
const service = await startProcess('service.js')
const tokenUrl = `http://127.0.0.1:${service.port}/hms/pr/token?${query}`
const answer = await (await fetch(tokenUrl)).text()
const startToToken = performance.now() - begin

const bare = await startProcess('bare.js', answer)
const bareUrl = `http://127.0.0.1:${bare.port}/hms/pr/token?${query}`

const measured = await alternate(
  [
    { name: 'bare', url: bareUrl },
    { name: 'token', url: tokenUrl },
  ],
  plan,
)
bare.child.kill()

print('Start of the process to first token', `${Math.round(startToToken)} ms`, 'under 700 ms')
const bareFigures = figuresOf('bare')
const tokenFigures = figuresOf('token')
print('Bare route', describe(bareFigures))
print('Token endpoint', describe(tokenFigures))
print('Ratio', (tokenFigures.perSecond / bareFigures.perSecond).toFixed(2), 'at least 0.70')

await load(tokenUrl, { connections: 64, amount: 100_000 })
print('Memory after 100,000 tokens and those above', `${residentMegabytes(service.child)} MB`, 'under 120 MB')
await load(tokenUrl, { connections: 64, amount: 100_000 })
print('Memory after 100,000 more', `${residentMegabytes(service.child)} MB`, 'the same')
service.child.kill()

function figuresOf(name: string): Measured {
  const figures = measured.get(name)
  if (figures === undefined) throw new Error(`nothing was measured for ${name}`)
  return figures
}

function describe({ perSecond, p50, p99 }: Measured): string {
  return `${Math.round(perSecond)} req/s, p50 ${p50} ms, p99 ${p99} ms`
}

function print(what: string, value: string, target?: string): void {
  process.stdout.write(`${what.padEnd(46)}${value}${target === undefined ? '' : `   (target: ${target})`}\n`)
}
