import { afterAll, beforeAll, expect, it } from 'vitest';
import { readAll, ScriptedDomain } from './scripted.ts';
import { describeWithRedis, type RedisServer, startRedisServer } from './server.ts';

describeWithRedis('the scripts', () => {
  let server: RedisServer;
  let domain: ScriptedDomain;

  beforeAll(async () => {
    server = await startRedisServer();
    domain = new ScriptedDomain(server.port, 'scripts');
  });
  afterAll(async () => {
    await domain?.close();
    await server?.stop();
  });

  it('smoke', async () => {
    const one = await domain.session();
    const two = await domain.session();
    console.log(await one.ask(['xa', 'sb']));
    console.log(await two.ask(['xa']));
    console.log(await two.ask(['xb'], { how: 'now' }));
    console.log(await two.ask(['sb', 'xc'], { how: 'now' }));
    console.log(await one.ask(['xc'], { keeps: [1] }));
    console.log(await two.ask(['xa'], { how: 'watch' }));
    console.log(await one.change('R1'), one.news, two.news);
    console.log(await two.audit(), await readAll(domain));
    console.log(await one.beat('close'), await two.beat('abandon'));
    expect(await domain.keys()).toEqual(['recovered', 'seq']);
  });
});
