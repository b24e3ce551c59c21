import { Agent, get } from 'node:http'
import { median } from './median.js'

const WARM_UP = 500
const MEASURED = 1000

/** The median of what one caller waits who asks again and again, in milliseconds. */
export async function typicalLatency(url: string): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const waited: number[] = []
  for (let request = 0; request < WARM_UP + MEASURED; request += 1) {
    const begin = performance.now()
    await answered(url, agent)
    if (request >= WARM_UP) waited.push(performance.now() - begin)
  }
  agent.destroy()
  return median(waited)
}

function answered(url: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, { agent }, response => {
      if (response.statusCode !== 200) reject(new Error(`answered with ${response.statusCode}`))
      response.resume().on('end', resolve)
    }).on('error', reject)
  })
}
