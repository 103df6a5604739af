// The signs of those who make or serve models, built into the console (@lobehub/icons-static-svg, MIT).

// one line to be read by the bundler: only these are taken along
const FILES = import.meta.glob<string>(
  "../../node_modules/@lobehub/icons-static-svg/icons/{ai21,ai360,alibaba-color,anthropic,azure-color,baai,baichuan-color,baidu-color,bailian-color,bedrock-color,bytedance-color,cerebras-color,chatglm-color,claude-color,cloudflare-color,cohere-color,coze,deepseek-color,dify-color,doubao-color,fireworks-color,flux,gemini-color,gemma-color,google-color,grok,groq,huggingface-color,hunyuan-color,jina,kimi-color,kling-color,longcat-color,meta,microsoft-color,midjourney,minimax-color,mistral-color,moonshot,nova-color,nvidia-color,ollama,openai,openrouter,perplexity-color,qwen-color,replicate,sambanova-color,siliconcloud-color,spark-color,stability-color,stepfun-color,suno,tencent-color,tencentcloud-color,together-color,vertexai-color,vidu-color,vllm-color,volcengine-color,voyage-color,wenxin-color,xai,xiaomimimo,yi-color,zai,zeroone-color,zhipu-color}.svg",
  { eager: true, query: "?url", import: "default" },
);

export interface LogoFile {
  url: string;
  /** Drawn in the colour of the text around it. */
  plain: boolean;
}

const LOGOS = new Map(
  Object.entries(FILES).map(([path, url]): [string, LogoFile] => {
    const name = path.slice(path.lastIndexOf("/") + 1, -".svg".length);
    return [name.replace(/-color$/, ""), { url, plain: !name.endsWith("-color") }];
  }),
);

/** What the program's table of providers calls otherwise. */
const ALIASES: Record<string, string> = {
  aws: "bedrock",
  google: "gemini",
  lingyiwanwu: "yi",
  siliconflow: "siliconcloud",
  tencent: "hunyuan",
  vertex: "vertexai",
  xunfei: "spark",
};

export const logoOf = (name: string): LogoFile | undefined =>
  LOGOS.get(ALIASES[name] ?? name) ?? LOGOS.get(name);
