"""What the provider's pages say, in the three languages of the product."""

from collections.abc import Mapping

ENGLISH = {
    "sign_in": "Sign in",
    "email": "E-mail address",
    "password": "Password",
    "wrong": "The e-mail address or the password is not right.",
    "too_many": "Too many attempts. Try again in {seconds} seconds.",
    "stale": "This page was open for too long, or cookies are switched off. Please try once more.",
    "first_title": "Welcome",
    "first_intro": "This is the first account of this server. It will be its administrator.",
    "name": "Your name",
    "optional": "optional",
    "new_password": "New password",
    "again": "New password, once more",
    "password_rule": "At least {characters} characters.",
    "create": "Create the account and sign in",
    "link_intro": "This link signs you in once, as {email}.",
    "change_password": "Choose a new password as well",
    "too_short": "Use at least {characters} characters for the password.",
    "too_long": "This password is too long.",
    "differ": "The two passwords differ.",
    "bad_email": "Write an address such as name@example.com.",
    "taken": "There is an account with this address already.",
    "gone_title": "This link does not work any more",
    "gone_text": "A link works once, for 15 minutes. Ask for a new one: visiona user link EMAIL",
    "refused_title": "This sign-in cannot be continued",
    "refused_text": "The request that led here is not in order. Go back to the start and sign in again.",
    "signed_out_title": "You are signed out",
    "signed_out_text": "You can close this page.",
    "trouble_title": "This does not work at the moment",
    "trouble_text": "Try again shortly.",
    "start": "To the start",
}

TRADITIONAL = {
    "sign_in": "登入",
    "email": "電子郵件地址",
    "password": "密碼",
    "wrong": "電子郵件地址或密碼不正確。",
    "too_many": "嘗試次數過多，請在 {seconds} 秒後再試。",
    "stale": "此頁面開啟過久，或瀏覽器停用了 Cookie。請再試一次。",
    "first_title": "歡迎",
    "first_intro": "這是此伺服器的第一個帳號，將成為管理員。",
    "name": "您的姓名",
    "optional": "選填",
    "new_password": "新密碼",
    "again": "再次輸入新密碼",
    "password_rule": "至少 {characters} 個字元。",
    "create": "建立帳號並登入",
    "link_intro": "此連結可讓您以 {email} 登入一次。",
    "change_password": "同時設定新密碼",
    "too_short": "密碼至少需要 {characters} 個字元。",
    "too_long": "密碼太長。",
    "differ": "兩次輸入的密碼不同。",
    "bad_email": "請輸入如 name@example.com 的地址。",
    "taken": "此地址已有帳號。",
    "gone_title": "此連結已失效",
    "gone_text": "連結只能在 15 分鐘內使用一次。請索取新的連結：visiona user link EMAIL",
    "refused_title": "無法繼續登入",
    "refused_text": "導向此頁的請求不正確。請回到起始頁重新登入。",
    "signed_out_title": "您已登出",
    "signed_out_text": "您可以關閉此頁面。",
    "trouble_title": "目前無法使用",
    "trouble_text": "請稍後再試。",
    "start": "回到起始頁",
}

SIMPLIFIED = {
    "sign_in": "登录",
    "email": "电子邮件地址",
    "password": "密码",
    "wrong": "电子邮件地址或密码不正确。",
    "too_many": "尝试次数过多，请在 {seconds} 秒后再试。",
    "stale": "此页面打开过久，或浏览器禁用了 Cookie。请再试一次。",
    "first_title": "欢迎",
    "first_intro": "这是此服务器的第一个账号，将成为管理员。",
    "name": "您的姓名",
    "optional": "选填",
    "new_password": "新密码",
    "again": "再次输入新密码",
    "password_rule": "至少 {characters} 个字符。",
    "create": "创建账号并登录",
    "link_intro": "此链接可让您以 {email} 登录一次。",
    "change_password": "同时设置新密码",
    "too_short": "密码至少需要 {characters} 个字符。",
    "too_long": "密码太长。",
    "differ": "两次输入的密码不同。",
    "bad_email": "请输入如 name@example.com 的地址。",
    "taken": "此地址已有账号。",
    "gone_title": "此链接已失效",
    "gone_text": "链接只能在 15 分钟内使用一次。请索取新的链接：visiona user link EMAIL",
    "refused_title": "无法继续登录",
    "refused_text": "导向此页的请求不正确。请回到起始页重新登录。",
    "signed_out_title": "您已退出登录",
    "signed_out_text": "您可以关闭此页面。",
    "trouble_title": "目前无法使用",
    "trouble_text": "请稍后再试。",
    "start": "回到起始页",
}

TEXTS: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "zh-TW": TRADITIONAL, "zh-CN": SIMPLIFIED}

_TRADITIONAL_MARKS = frozenset({"tw", "hk", "mo", "hant"})

MAX_WISHES = 20
"""Of a header; browsers send a handful."""


def language_of(accept_language: str, ui_locales: str = "") -> str:
    """Which of our languages suits best.

    Args:
        accept_language: the header (RFC 9110 §12.5.4).
        ui_locales: what the client asked for, the best first; stronger than the header.
    """
    wishes = [*ui_locales.split(), *_by_quality(accept_language)]
    return next((ours for wish in wishes if (ours := _ours(wish)) is not None), "en")


def _ours(tag: str) -> str | None:
    language, *marks = tag.lower().split("-")
    if language == "zh":
        return "zh-TW" if "hans" not in marks and _TRADITIONAL_MARKS.intersection(marks) else "zh-CN"
    return "en" if language == "en" else None


def _by_quality(header: str) -> list[str]:
    wishes = []
    for part in header.split(",")[:MAX_WISHES]:
        tag, _, quality = part.partition(";")
        weight = _weight(quality.strip().removeprefix("q="))
        if tag.strip() and weight > 0:
            wishes.append((tag.strip(), weight))
    return [tag for tag, _ in sorted(wishes, key=lambda wish: -wish[1])]


def _weight(text: str) -> float:
    if not text:
        return 1.0
    digits = text.replace(".", "", 1)
    return float(text) if digits.isascii() and digits.isdigit() and len(text) <= 5 else 0.0
