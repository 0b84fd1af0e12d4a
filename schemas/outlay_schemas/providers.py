"""One name for each provider: those of the price data, and how SDKs, gateways and conventions spell them."""

_ONE_SPELLING = (
    "arcee avian baseten cerebras cursor databricks doubleword elevenlabs groq minimax modal novita "
    "openrouter ovhcloud quicksilverpro typesafe zai zhipuai"
)
_SPELLINGS = {
    "anthropic": "claude",
    "aws": "bedrock bedrock_converse bedrock-converse amazon amazon-bedrock amazon_bedrock aws.bedrock sagemaker",
    "azure": "azure_ai azure-ai azure_openai azure-openai azure.ai.openai azure.ai.inference az.ai az.ai.openai",
    "cloudflare": "workers-ai cloudflare-workers-ai",
    "cohere": "cohere_chat",
    "deepseek": "deepseek-ai",
    "fireworks": "fireworks_ai fireworks-ai",
    "github-copilot": "github_copilot copilot",
    "google": "gemini vertex vertex_ai vertex-ai vertex_ai_beta vertexai google-vertex google_vertexai google_genai "
    "google-genai gcp.gen_ai gcp.gemini gcp.vertex_ai google.generative-ai google-ai",
    "meta": "meta-llama meta_llama",
    "mistral": "mistral_ai mistral-ai mistralai codestral",
    "moonshotai": "moonshot moonshot-ai",
    "openai": "text-completion-openai openai_responses",
    "perplexity": "perplexity-ai",
    "together": "together_ai together-ai togetherai",
    "vercel": "vercel_ai_gateway vercel-ai-gateway",
    "voyageai": "voyage voyage-ai",
    "x-ai": "xai x_ai grok",
}
_BY_NAME = {name: provider for provider, names in _SPELLINGS.items() for name in (provider, *names.split())}
_BY_NAME |= {name: name for name in _ONE_SPELLING.split()}


def known_provider(name: str) -> str:
    """Return the price data's name of a provider; empty if it is unknown. SDKs put the kind of call behind it:
    `azure.chat`, `google.vertex.chat`, `amazon-bedrock.embedding`."""
    rest = name.strip().lower()
    while rest:
        if found := _BY_NAME.get(rest):
            return found
        rest = rest.rpartition(".")[0]
    return ""


def provider_name(name: str) -> str:
    """Return the price data's name of a provider, or the name as it is given."""
    return known_provider(name) or name
